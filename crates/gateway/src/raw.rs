//! Calls with messages that stay bytes: the gateway passes them on and never needs their types.

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use tonic::{
    Request, Response, Status, Streaming,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};
use treenail_rpc::{Channel, limits::GRPC_MESSAGE_BYTES_MAX};

/// The codec of bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Makes a unary call.
pub(crate) async fn unary(
    channel: Channel,
    path: &'static str,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Status> {
    let mut client = client(channel).await?;
    client.unary(request, PathAndQuery::from_static(path), Raw).await
}

/// Makes a call that is answered with a stream.
pub(crate) async fn server_streaming(
    channel: Channel,
    path: &'static str,
    request: Request<Bytes>,
) -> Result<Response<Streaming<Bytes>>, Status> {
    let mut client = client(channel).await?;
    client
        .server_streaming(request, PathAndQuery::from_static(path), Raw)
        .await
}

async fn client(channel: Channel) -> Result<Grpc<Channel>, Status> {
    let mut client = Grpc::new(channel)
        .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX);
    client.ready().await?;
    Ok(client)
}

/// A stream of answers as the body of a gRPC response.
pub(crate) fn stream_body(answers: Streaming<Bytes>) -> tonic::body::Body {
    let body = tonic::codec::EncodeBody::new_server(
        Raw,
        answers,
        None,
        tonic::codec::SingleMessageCompressionOverride::default(),
        Some(GRPC_MESSAGE_BYTES_MAX),
    );
    tonic::body::Body::new(body)
}
