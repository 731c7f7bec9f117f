//! gRPC reflection, in both versions that clients still speak.

use tonic::service::Routes;
use tonic_reflection::server::{Builder, Error};

/// Adds reflection over the whole contract; of its services, those served here are listed.
pub(super) fn add(routes: Routes, services: &[&str]) -> Result<Routes, Error> {
    let v1 = configured(services).build_v1()?;
    // Postman and older versions of grpcurl know only the one before.
    let v1alpha = configured(services).build_v1alpha()?;
    Ok(routes.add_service(v1).add_service(v1alpha))
}

fn configured<'b>(services: &[&str]) -> Builder<'b> {
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(treenail_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health");
    services
        .iter()
        .fold(builder, |builder, service| builder.with_service_name(*service))
}
