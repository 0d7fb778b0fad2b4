/** The two messages of `grpc.health.v1.Health/Check`, as gRPC frames (gRPC: doc/health-checking.md). */

/** `HealthCheckResponse.ServingStatus`, by number. */
const SERVING_STATUS = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

/** gRPC's own frame: one byte that says whether it is compressed, four bytes of length. */
const FRAME_BYTES = 5;

/** `HealthCheckRequest { string service = 1 }`. */
export const encodeHealthRequest = (service: string): Buffer => {
  const name = Buffer.from(service);
  const field = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.writeUInt32BE(field.length, 1);
  return Buffer.concat([frame, field]);
};

/** The serving status of a `HealthCheckResponse { ServingStatus status = 1 }`; undefined: this is none. */
export const decodeHealthResponse = (body: Buffer): string | undefined => {
  if (body.length < FRAME_BYTES || body[0] !== 0 || body.readUInt32BE(1) !== body.length - FRAME_BYTES)
    return undefined;
  // A field that has its default is not there.
  if (body.length === FRAME_BYTES) return SERVING_STATUS[0];
  const [tag, value] = [body[FRAME_BYTES], body[FRAME_BYTES + 1]];
  return tag === 0x08 && value !== undefined && body.length === FRAME_BYTES + 2 ? SERVING_STATUS[value] : undefined;
};

/** Seven bits a byte, the lowest first; the highest bit says that more follow. */
const varint = (value: number): Buffer =>
  value < 0x80 ? Buffer.from([value]) : Buffer.from([(value & 0x7f) | 0x80, value >> 7]);
