/** Hessian between hessian.js in Node and Caucho's library in Java, each calling the other through a pair: what they see is what they see straight. */
import t from 'tap';
import { callHessian, post, startHessianApp } from '../support/hessian-app.ts';
import { hessianCall, WIRES } from '../support/hessian-bytes.ts';
import { compileHessianJava, HESSIAN_PATH, missingHessianJava } from '../support/hessian-java.ts';
import { startSidecarPair } from '../support/pair.ts';
import { freePort } from '../support/ports.ts';
import { total } from '../support/prometheus-text.ts';

/** The versions in which Java reads the faults of hessian.js. */
const JAVA_WIRES = ['1/2', '2/2', '1/2 chunked', '2/2 chunked'];

t.setTimeout(120_000);

t.test('Hessian in Node and Java', { skip: missingHessianJava }, async t => {
  const java = await compileHessianJava(t.testdir());
  const port = await freePort();
  await using server = await java.serve(port);
  await using app = await startHessianApp();
  await using pair = await startSidecarPair({
    services: [
      { name: 'node', port: 8080, protocol: 'hessian', appPort: app.port },
      { name: 'java', port: 8080, protocol: 'hessian', appPort: port },
    ],
  });
  const url = (to: number): string => `http://127.0.0.1:${to}${HESSIAN_PATH}`;
  const counter = async () => {
    const samples = await pair.b.samples();
    return (labels: Readonly<Record<string, string>>): number =>
      total(samples, 'outrider_requests_total', { request_protocol: 'hessian', response_flags: '-', ...labels });
  };

  await t.test('a client in Java, a server in Node', async t => {
    const straight = await java.run('client', url(app.port));
    const reached = app.seen.length;
    const meshed = await java.run('client', url(pair.upstream('node')));
    t.same([...meshed], [...straight]);
    t.equal(app.seen.length - reached, reached, 'its server heard every call');
    t.equal(meshed.get('1/1 echo'), 'héllo 😀', 'Hessian 1');
    for (const wire of JAVA_WIRES) {
      t.equal(meshed.get(`${wire} echo`), 'héllo 😀', wire);
      t.equal(meshed.get(`${wire} add`), '42');
      t.equal(meshed.get(`${wire} null`), 'null');
      t.equal(meshed.get(`${wire} nothing`), 'void');
      t.equal(meshed.get(`${wire} large`), 'true', '5 MB both ways');
      t.equal(meshed.get(`${wire} long text`), 'true');
      t.equal(meshed.get(`${wire} declared`), 'HessianServiceException: no such account');
      t.match(meshed.get(`${wire} missing`), /^HessianServiceException: The service has no method named: missing/);
    }
    const count = await counter();
    t.equal(count({ destination_service: 'node' }), reached, 'the mesh counted every call');
    t.equal(count({ destination_service: 'node', method: 'add', response_code: '200' }), 51 * 5);
    t.equal(
      count({ destination_service: 'node', method: 'declared', response_code: '500' }),
      5,
      'a fault is a failure',
    );
  });

  await t.test('a client in Node, a server in Java', async t => {
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => i % 251));
    const nested = { list: [1, 'two', { three: [true, null] }], text: 'ü'.repeat(100_000) };
    const before = server.output().split('CALL').length;
    for (const wire of WIRES) {
      const call = async (method: string, ...args: unknown[]): Promise<unknown> => {
        const straight = await callHessian(url(port), wire, method, ...args);
        const meshed = await callHessian(url(pair.upstream('java')), wire, method, ...args);
        t.equal(meshed.status, straight.status);
        return meshed.reply;
      };
      t.match(await call('echo', 'héllo'), { kind: 'reply', value: 'héllo' }, wire);
      t.match(await call('add', 2, 40), { value: 42 });
      t.match(await call('nothing'), { value: null });
      t.same(await call('nested', nested), { kind: 'reply', value: nested });
      const { value } = (await call('bytes', bytes)) as { readonly value: Buffer };
      t.ok(value.equals(bytes), '3 MB both ways');
      t.match(await call('declared', 'no'), { kind: 'fault', code: 'ServiceException', message: 'no' });
      t.match(await call('undeclared', 'x'), { kind: 'fault', code: 'ServiceException', message: 'x' });
      t.match(await call('missing'), { kind: 'fault', code: 'NoSuchMethodException' });
      const pieces = Array.from(hessianCall(wire, 'echo', ['pieces']), byte => Buffer.from([byte]));
      t.match((await post(url(pair.upstream('java')), pieces)).reply, { value: 'pieces' }, 'chunks of one byte');
    }
    t.equal(server.output().split('CALL').length - before, 17 * WIRES.length, 'its server heard every call');
    const count = await counter();
    t.equal(count({ destination_service: 'java' }), 9 * WIRES.length, 'the mesh counted its own');
    t.equal(count({ destination_service: 'java', response_code: '500' }), 2 * WIRES.length, 'faults are failures');
    t.equal(count({ destination_service: 'java', method: 'other', response_code: '404' }), WIRES.length);
  });
});
