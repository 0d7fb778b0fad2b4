import fc from 'fast-check';
import t from 'tap';
import * as http2 from '../../../../bench/load/http2-frames.ts';

t.test('any split of the bytes gives the same frames', t => {
  const bytes = Buffer.concat([
    http2.settings([[http2.SETTINGS_HEADER_TABLE_SIZE, 100]]),
    http2.frame(http2.DATA, http2.END_STREAM, 7, Buffer.from('hello')),
    http2.windowUpdate(3, 70_000),
  ]);
  const expected = ['4 0 0 000100000064', '0 1 7 68656c6c6f', '8 0 3 00011170'];
  fc.assert(
    fc.property(fc.array(fc.nat({ max: bytes.length })), cuts => {
      const frames: string[] = [];
      let rest: Buffer | undefined;
      const edges = [...cuts, bytes.length].toSorted((x, y) => x - y);
      let from = 0;
      for (const edge of edges) {
        const piece = bytes.subarray(from, edge);
        from = edge;
        rest = http2.readFrames(
          rest ? Buffer.concat([rest, piece]) : piece,
          (type, flags, stream, chunk, start, end) => {
            frames.push(`${type} ${flags} ${stream} ${chunk.subarray(start, end).toString('hex')}`);
          },
        );
      }
      t.same(frames, expected);
      return rest === undefined;
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('a setting is found by its id', t => {
  const frame = http2.settings([
    [http2.SETTINGS_INITIAL_WINDOW_SIZE, 5],
    [http2.SETTINGS_HEADER_TABLE_SIZE, 100],
  ]);
  const value = (id: number): number | undefined => http2.settingOf(frame, http2.FRAME_HEAD_BYTES, frame.length, id);
  t.equal(value(http2.SETTINGS_HEADER_TABLE_SIZE), 100);
  t.equal(value(0x9), undefined);
  t.end();
});
