import t from 'tap';
import { MAX_METHODS_PER_SERVICE, MethodNames } from '../../../../sidecar/telemetry/method-names.ts';

t.test('a method that an app answered to is admitted, and stays so', t => {
  const names = new MethodNames();
  t.equal(names.admit('a', 'Get', true), 'Get');
  t.equal(names.admit('a', 'Get', false), 'Get', 'also when a call fails');
  t.end();
});

t.test('a method that nobody knows is other', t => {
  const names = new MethodNames();
  t.equal(names.admit('a', 'Nonsense', false), 'other');
  t.equal(names.admit('a', 'Nonsense', false), 'other');
  t.end();
});

t.test('HTTP has no method', t => {
  t.equal(new MethodNames().admit('a', '', true), '');
  t.end();
});

t.test('the 201st method of a service is other, and other services are not affected', t => {
  const names = new MethodNames();
  for (let i = 0; i < MAX_METHODS_PER_SERVICE; i++) t.equal(names.admit('a', `m${i}`, true), `m${i}`);
  t.equal(names.admit('a', 'one-more', true), 'other');
  t.equal(names.admit('a', 'm7', true), 'm7');
  t.equal(names.admit('b', 'one-more', true), 'one-more');
  t.end();
});

t.test('a name that is not plain text, or endless, is other', t => {
  const names = new MethodNames();
  for (const name of ['a b', 'a\n', '\u0000', 'ü', 'x'.repeat(129)]) t.equal(names.admit('a', name, true), 'other');
  t.equal(names.admit('a', 'x'.repeat(128), true), 'x'.repeat(128));
  t.end();
});

t.test('names that nothing uses any more make room', t => {
  const names = new MethodNames();
  names.admit('a', 'kept', true);
  for (let i = 1; i < MAX_METHODS_PER_SERVICE; i++) names.admit('a', `m${i}`, true);
  names.retain([
    { service: 'a', method: 'kept' },
    { service: 'a', method: 'other' },
    { service: 'b', method: '' },
  ]);
  t.equal(names.admit('a', 'kept', false), 'kept');
  t.equal(names.admit('a', 'm1', false), 'other');
  t.equal(names.admit('a', 'm1', true), 'm1');
  t.end();
});
