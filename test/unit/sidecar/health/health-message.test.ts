import fc from 'fast-check';
import t from 'tap';
import { decodeHealthResponse, encodeHealthRequest } from '../../../../sidecar/health/health-message.ts';

const frame = (...message: number[]): Buffer => Buffer.from([0, 0, 0, 0, message.length, ...message]);

t.test('a request names its service, as protobuf does', t => {
  t.same(encodeHealthRequest(''), frame());
  t.same(encodeHealthRequest('ab'), frame(0x0a, 2, 0x61, 0x62));
  const long = 'x'.repeat(255);
  t.same(
    encodeHealthRequest(long),
    Buffer.concat([frame(), Buffer.from([0x0a, 0xff, 1]), Buffer.from(long)]).fill(Buffer.from([0, 0, 0, 1, 2]), 0, 5),
  );
  t.end();
});

t.test('the status of a response has its name', t => {
  t.equal(decodeHealthResponse(frame(0x08, 1)), 'SERVING');
  t.equal(decodeHealthResponse(frame(0x08, 2)), 'NOT_SERVING');
  t.equal(decodeHealthResponse(frame(0x08, 3)), 'SERVICE_UNKNOWN');
  t.equal(decodeHealthResponse(frame()), 'UNKNOWN', 'a default is left out');
  t.end();
});

t.test('what is no response has none', t => {
  const wrong = {
    empty: [],
    cut: [0, 0, 0, 0, 2, 8],
    compressed: [1, 0, 0, 0, 2, 8, 1],
    longer: [0, 0, 0, 0, 2, 8, 1, 0],
  };
  for (const [name, bytes] of Object.entries(wrong)) t.equal(decodeHealthResponse(Buffer.from(bytes)), undefined, name);
  t.equal(decodeHealthResponse(frame(0x08, 9)), undefined, 'a number without a name');
  t.equal(decodeHealthResponse(frame(0x10, 1)), undefined, 'another field');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), bytes => {
      const status = decodeHealthResponse(Buffer.from(bytes));
      return status === undefined || /^[A-Z_]+$/.test(status);
    }),
  );
  t.end();
});
