import { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { FrameWriter } from '../../../../../sidecar/protocol/http2/frame-writer.ts';
import { HpackDecoder } from '../../../../../sidecar/protocol/http2/hpack/decoder.ts';
import { encodeFields } from '../../../../../sidecar/protocol/http2/hpack/encoder.ts';
import { BlockPool, Outbox } from '../../../../../sidecar/protocol/outbox.ts';

/** The lists of fields that the HEADERS frames in `bytes` carry. */
const listsOf = (bytes: Buffer): string[][] => {
  const lists: string[][] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    const list: string[] = [];
    const decoder = new HpackDecoder({ maxTableBytes: 4_096, maxListBytes: 65_536, maxFields: 200 });
    const reason = decoder.decode(bytes, at + 9, end, list);
    if (reason !== '') throw new Error(reason);
    lists.push(list);
    at = end;
  }
  return lists;
};

t.test('volatile fields that come again in the same list are written again, behind whatever head', async t => {
  const written: Buffer[] = [];
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(Buffer.from(chunk));
      done();
    },
  });
  const frames = new FrameWriter(new Outbox(socket, new BlockPool(), () => {}));
  const one = encodeFields([':status', '200']);
  const two = encodeFields([':status', '404', 'server', 'x']);
  const now = ['date', 'now', 'content-length', '5'];
  const later = ['date', 'later'];
  const none: string[] = [];
  const sent = [now, now, now, later, now, now, now, none, none, none, later];
  for (const [i, volatile] of sent.entries()) frames.headers(2 * i + 1, i % 3 === 0 ? two : one, volatile, true);
  await setImmediate();
  const expected = sent.map((volatile, i) => [
    ...(i % 3 === 0 ? [':status', '404', 'server', 'x'] : [':status', '200']),
    ...volatile,
  ]);
  t.same(listsOf(Buffer.concat(written)), expected);
});
