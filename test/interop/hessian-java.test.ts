/** Caucho's Hessian library in Java on both sides of a pair, in every version: what it sees through the mesh is what it sees straight. */
import t from 'tap';
import { compileHessianJava, HESSIAN_PATH, missingHessianJava } from '../support/hessian-java.ts';
import { startSidecarPair } from '../support/pair.ts';
import { freePorts } from '../support/ports.ts';
import { total } from '../support/prometheus-text.ts';

const WIRES = ['1/1', '1/2', '2/2', '1/2 chunked', '2/2 chunked'];
t.setTimeout(240_000);

t.test('Hessian in Java against itself', { skip: missingHessianJava }, async t => {
  const java = await compileHessianJava(t.testdir());
  const [port = 0, nobody = 0] = await freePorts(2);
  await using server = await java.serve(port);
  await using pair = await startSidecarPair({
    services: [
      { name: 'accounts', port: 8080, protocol: 'hessian', appPort: port },
      { name: 'dead', port: 8080, protocol: 'hessian', appPort: nobody },
    ],
  });
  const calls = (): number => server.output().split('CALL').length - 1;

  const straight = await java.run('client', `http://127.0.0.1:${port}${HESSIAN_PATH}`);
  const reached = calls();
  const meshed = await java.run('client', `http://127.0.0.1:${pair.upstream('accounts')}${HESSIAN_PATH}`);

  await t.test('the program sees the same through the mesh', async t => {
    t.same([...meshed], [...straight]);
    t.equal(calls() - reached, reached, 'and its server every call');
    for (const wire of WIRES) {
      t.equal(meshed.get(`${wire} echo`), 'héllo 😀');
      t.equal(meshed.get(`${wire} add`), '42');
      // The library cannot read the larger replies, and the faults, of its own server in Hessian 1.
      if (wire === '1/1') continue;
      t.equal(meshed.get(`${wire} nested`), 'true');
      t.equal(meshed.get(`${wire} large`), 'true');
      t.equal(meshed.get(`${wire} long text`), 'true');
      t.equal(meshed.get(`${wire} declared`), 'IOException: no such account');
      t.equal(meshed.get(`${wire} undeclared`), 'IllegalStateException: broken');
    }
  });

  await t.test('calls are counted by method, and faults as failures', async t => {
    for (const sidecar of [pair.a, pair.b]) {
      const samples = await sidecar.samples();
      const count = (labels: Readonly<Record<string, string>>): number =>
        total(samples, 'outrider_requests_total', { request_protocol: 'hessian', response_flags: '-', ...labels });
      t.equal(count({ method: 'add', response_code: '200' }), 51 * WIRES.length);
      t.equal(count({ method: 'echo', response_code: '200' }), 4 * WIRES.length - 1);
      t.equal(count({ method: 'declared', response_code: '500' }), WIRES.length);
      t.equal(count({ method: 'undeclared', response_code: '500' }), WIRES.length);
      t.equal(count({ method: 'other', response_code: '404' }), WIRES.length, 'an unknown method');
      t.equal(count({}), reached, 'every call');
    }
  });

  await t.test('what the mesh answers is a fault with its sentence', async t => {
    const refused = await java.run('refused', `http://127.0.0.1:${pair.upstream('dead')}${HESSIAN_PATH}`);
    for (const wire of WIRES.slice(1))
      t.match(
        refused.get(`${wire} refused`),
        /^HessianServiceException: No connection to the destination could be made\. \[flag=UF detail=connection_refused request_id=/,
        wire,
      );
    t.equal(refused.get('1/1 refused')?.split(':')[0], straight.get('1/1 declared')?.split(':')[0], 'as any fault');
  });
});
