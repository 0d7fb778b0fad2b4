import t from 'tap';
import { fuzzHpack } from '../../../../fuzz/hpack.ts';
import { fuzzHttp2 } from '../../../../fuzz/http2.ts';

t.test('mutated frames end streams and connections, and nothing else, however they are cut', t => {
  const { told, ended } = fuzzHttp2(1_000, 1);
  t.ok(told > 300, `${told} exchanges were told of`);
  t.ok(ended > 100, `${ended} connections ended for an error`);
  t.end();
});

t.test('mutated header blocks are refused, or read as one table for all of them says', t => {
  const { read, refused } = fuzzHpack(5_000, 1);
  t.ok(read > 1_000, `${read} blocks were read`);
  t.ok(refused > 200, `${refused} blocks were refused`);
  t.end();
});
