/** The one gRPC call of the benchmark: its path, and its message in both directions (gRPC over HTTP/2, Length-Prefixed-Message). */

export const GRPC_PATH = '/outrider.bench.Echo/Unary';

/** What a message says: a protobuf message with one string field of 98 bytes. */
export const GRPC_PAYLOAD = Buffer.concat([Buffer.from([0x0a, 98]), Buffer.alloc(98, 'x')]);

const prefix = Buffer.alloc(5);
prefix.writeUInt32BE(GRPC_PAYLOAD.length, 1);

/** The same as it stands on the wire: not compressed, with its length. */
export const GRPC_MESSAGE = Buffer.concat([prefix, GRPC_PAYLOAD]);
