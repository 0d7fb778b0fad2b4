import fc from 'fast-check';
import t from 'tap';
import { ReplyOrder } from '../../../../../sidecar/protocol/thrift/reply-order.ts';

const newOrder = () => {
  const said: string[] = [];
  const order: ReplyOrder<string> = new ReplyOrder(
    (chunk, credit) => said.push(`${order.current}:${chunk.toString()}:${credit}`),
    call => said.push(`${call} over`),
  );
  return { said, order };
};
const bytes = (text: string): Buffer => Buffer.from(text);

t.test('the first reply goes out as it comes, the others behind it, each whole', t => {
  const { said, order } = newOrder();
  order.write('a', bytes('1'), 1);
  order.write('b', bytes('2'), 1);
  order.write('c', bytes('3'), 1);
  order.end('c');
  order.write('b', bytes('4'), 1);
  t.same(said, ['a:1:1']);
  order.end('a');
  t.same(said.slice(1), ['a over', 'b:2:1', 'b:4:1'], 'the second is not whole yet');
  order.write('b', bytes('5'), 1);
  order.end('b');
  t.same(said.slice(4), ['b:5:1', 'b over', 'c:3:1', 'c over']);
  t.equal(order.current, undefined);
  t.end();
});

t.test('a call without a reply is over at once', t => {
  const { said, order } = newOrder();
  order.write('a', bytes('1'), 1);
  order.end('oneway');
  t.same(said, ['a:1:1', 'oneway over']);
  t.equal(order.current, 'a');
  t.end();
});

t.test('whatever the order of events, every reply comes whole and once', t => {
  const event = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.boolean());
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), events => {
      const { said, order } = newOrder();
      const ended = new Set<string>();
      const sent = new Map<string, number>();
      const say = (call: string, end: boolean): void => {
        if (ended.has(call)) return;
        const count = sent.get(call) ?? 0;
        order.write(call, bytes(String(count)), 1);
        sent.set(call, count + 1);
        if (!end) return;
        ended.add(call);
        order.end(call);
      };
      for (const [n, end] of events) say(`c${n}`, end);
      for (const call of [...sent.keys()]) say(call, true);
      const expected = new Map([...sent].map(([call, count]) => [call, count]));
      const runs: string[] = [];
      for (const line of said) {
        const call = line.split(/[: ]/)[0] as string;
        if (runs.at(-1) !== call) runs.push(call);
      }
      return (
        new Set(runs).size === runs.length &&
        [...expected].every(
          ([call, count]) =>
            said.filter(line => line.startsWith(`${call}:`)).join() ===
            Array.from({ length: count }, (_, i) => `${call}:${i}:1`).join(),
        )
      );
    }),
  );
  t.end();
});
