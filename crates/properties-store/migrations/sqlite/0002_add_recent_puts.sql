-- The fingerprints of the last calls that put properties, oldest first, eight bytes each: one that comes again is not
-- done again.
ALTER TABLE runs ADD COLUMN recent_puts BLOB NOT NULL DEFAULT x'';
