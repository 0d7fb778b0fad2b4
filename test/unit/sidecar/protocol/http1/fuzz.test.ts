import t from 'tap';
import { fuzzHttp1 } from '../../../../fuzz/http1.ts';

t.test('mutated messages are read as a plain second reading reads them, or refused by both', t => {
  const { messages, refused } = fuzzHttp1(3_000, 1);
  t.ok(messages > 1_000, `${messages} requests were read`);
  t.ok(refused > 200, `${refused} texts were refused`);
  t.end();
});
