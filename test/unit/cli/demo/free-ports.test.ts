import t from 'tap';
import { freePorts } from '../../../../cli/demo/free-ports.ts';

t.test('ports are free, different, and none that the system gives to whoever asks for any', async t => {
  const given = [0.1, 0.1];
  const [first = 0, second = 0, third = 0] = await freePorts(3, () => given.shift() ?? Math.random());
  t.equal(new Set([first, second, third]).size, 3);
  for (const port of [first, second, third]) t.ok(port >= 12_000 && port < 32_000, String(port));
});
