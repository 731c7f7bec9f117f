//! The statements of the embedded store.

pub(super) const DEFINITION: &str = "
    SELECT name, uid, version, invocation, format, body FROM definition
    WHERE account = :account AND region = :region AND kind = :kind AND name = :name";

pub(super) const TRIGGERS_OF_WORKFLOW: &str = "
    SELECT name, uid, version, invocation, format, body FROM definition
    WHERE account = :account AND region = :region AND workflow = :workflow
    ORDER BY name";

pub(super) const NAMES: &str = "
    SELECT name FROM definition
    WHERE account = :account AND region = :region AND kind = :kind AND name > :after
    ORDER BY name LIMIT :limit";

pub(super) const NAMES_TAGGED: &str = "
    SELECT first.name FROM tag AS first
    WHERE first.account = :account AND first.region = :region AND first.kind = :kind
      AND first.key = :key AND first.value = :value AND first.name > :after
      AND :tag_count = (
        SELECT count(*) FROM json_each(:tags) AS wanted
        JOIN tag AS other ON other.account = first.account AND other.region = first.region
          AND other.kind = first.kind AND other.name = first.name
          AND other.key = wanted.key AND other.value = wanted.value)
    ORDER BY first.name LIMIT :limit";

pub(super) const NAMES_STARTING_JOB: &str = "
    SELECT started.name FROM started_job AS started
    WHERE started.account = :account AND started.region = :region AND started.job = :job AND started.kind = :kind
      AND started.name > :after
      AND :tag_count = (
        SELECT count(*) FROM json_each(:tags) AS wanted
        JOIN tag AS other ON other.account = started.account AND other.region = started.region
          AND other.kind = started.kind AND other.name = started.name
          AND other.key = wanted.key AND other.value = wanted.value)
    ORDER BY started.name LIMIT :limit";

pub(super) const COUNT: &str = "
    SELECT count(*) FROM definition WHERE account = :account AND region = :region AND kind = :kind";

pub(super) const VERSION: &str = "
    SELECT uid, version FROM definition
    WHERE account = :account AND region = :region AND kind = :kind AND name = :name";

pub(super) const TAGS: &str = "
    SELECT key, value FROM tag
    WHERE account = :account AND region = :region AND kind = :kind AND name = :name
    ORDER BY key";

pub(super) const TOUCH: &str = "
    UPDATE definition SET version = version + 1
    WHERE account = :account AND region = :region AND kind = :kind AND name = :name";

pub(super) const PUT: &str = "
    INSERT INTO definition (account, region, kind, name, uid, version, invocation, workflow, format, body)
    VALUES (:account, :region, :kind, :name, :uid, 1, :invocation, :workflow, :format, :body)
    ON CONFLICT (account, region, kind, name) DO UPDATE SET
        uid = excluded.uid, version = version + 1, invocation = excluded.invocation,
        workflow = excluded.workflow, format = excluded.format, body = excluded.body";

pub(super) const DELETE: &str = "
    DELETE FROM definition WHERE account = :account AND region = :region AND kind = :kind AND name = :name";

pub(super) const DELETE_TAGS: &str = "
    DELETE FROM tag WHERE account = :account AND region = :region AND kind = :kind AND name = :name";

pub(super) const INSERT_TAG: &str = "
    INSERT INTO tag (account, region, kind, name, key, value)
    VALUES (:account, :region, :kind, :name, :key, :value)";

pub(super) const DELETE_STARTED_JOBS: &str = "
    DELETE FROM started_job WHERE account = :account AND region = :region AND kind = :kind AND name = :name";

pub(super) const INSERT_STARTED_JOB: &str = "
    INSERT INTO started_job (account, region, job, kind, name) VALUES (:account, :region, :job, :kind, :name)";

pub(super) const OUTBOX: &str = "
    SELECT sequence, format, plan FROM outbox ORDER BY sequence";

pub(super) const INSERT_PLAN: &str = "
    INSERT INTO outbox (format, plan) VALUES (:format, :plan)";

pub(super) const FORGET_PUBLISHED: &str = "
    DELETE FROM outbox WHERE sequence = :sequence";
