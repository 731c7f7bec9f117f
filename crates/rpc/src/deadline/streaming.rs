//! Which calls are streams, as the contract says.

use std::{collections::BTreeSet, sync::LazyLock};

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// The paths of all RPCs of the contract that stream in either direction, and of the streams of gRPC itself.
static STREAMING_PATHS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let contract = FileDescriptorSet::decode(treenail_proto::FILE_DESCRIPTOR_SET)
        .expect("the descriptor set was encoded by the build");
    let health = FileDescriptorSet::decode(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .expect("the descriptor set is a constant of tonic-health");
    let reflection =
        ["v1", "v1alpha"].map(|version| format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"));
    streaming_paths(&contract)
        .chain(streaming_paths(&health))
        .chain(reflection)
        .collect()
});

/// Whether the call to this path streams; unknown paths do not.
pub(super) fn is_streaming(path: &str) -> bool {
    STREAMING_PATHS.contains(path)
}

fn streaming_paths(set: &FileDescriptorSet) -> impl Iterator<Item = String> {
    set.file.iter().flat_map(|file| {
        file.service.iter().flat_map(move |service| {
            service
                .method
                .iter()
                .filter(|method| method.client_streaming() || method.server_streaming())
                .map(move |method| format!("/{}.{}/{}", file.package(), service.name(), method.name()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::is_streaming;

    #[test]
    fn the_contract_says_which_calls_stream() {
        let rows = [
            ("/treenail.worker.v1.WorkerService/Work", true),
            ("/treenail.worker.v1.WorkerService/UploadLogs", true),
            ("/treenail.ops.v1.LogService/TailLogs", true),
            ("/grpc.health.v1.Health/Watch", true),
            ("/grpc.health.v1.Health/Check", false),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", true),
            ("/treenail.glue.v1.WorkflowRunService/StartWorkflowRun", false),
            ("/nothing.like.It/Exists", false),
            ("", false),
        ];
        for (path, streams) in rows {
            assert_eq!(is_streaming(path), streams, "{path}");
        }
    }
}
