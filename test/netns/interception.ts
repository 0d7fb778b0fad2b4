/**
 * Programs that know nothing of the mesh, on machines made of network namespaces: what they call by plain addresses goes over mTLS, over IPv4 and IPv6.
 * Needs root, `ip`, `nft`, curl, tcpdump, setpriv and Flask; skips with a sentence elsewhere.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { missingPostgres, postgres, SUPERUSER } from '../support/database-servers.ts';
import { PYTHON } from '../support/foreign-tools.ts';
import { on } from '../support/namespaces.ts';
import { missingForNetns, NetnsMesh, redirect } from '../support/netns-mesh.ts';
import { createSvid, createTestMesh } from '../support/peer-certificates.ts';
import { runToEnd } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const FLASK_APP = fileURLToPath(new URL('../fixtures/flask_app.py', import.meta.url));
const THRIFT = fileURLToPath(new URL('../fixtures/thrift_calc.py', import.meta.url));
/** Cluster IPs that no machine has. */
const WEB_IPV4 = '10.96.0.10';
const WEB_IPV6 = 'fd96::10';
const SECRET = 'not-for-the-wire-7f3a';

/** One method that answers with what it gets, and who its peer says to be. */
const GRPC_SERVER = `
import grpc
from concurrent import futures
class Handler(grpc.GenericRpcHandler):
    def service(self, call):
        def echo(request, context):
            return request + dict(context.invocation_metadata()).get('x-outrider-peer', '').encode()
        return grpc.unary_unary_rpc_method_handler(echo)
server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Handler()])
server.add_insecure_port('127.0.0.1:50051')
server.start()
print('up', flush=True)
server.wait_for_termination()`;
const GRPC_CLIENT = `
import grpc, sys
with grpc.insecure_channel(sys.argv[1]) as channel:
    print(channel.unary_unary('/test.Echo/Echo')(b'hello ', timeout=10).decode())`;
/** Answers lines; the second port speaks first, as a database does. */
const OUTSIDE = `
const net = require('node:net');
net.createServer(socket => socket.on('data', data => socket.end('heard ' + data))).listen(9000, '::');
net.createServer(socket => socket.end('welcome\\n')).listen(9001, '::', () => console.log('up'));`;
t.setTimeout(180_000);

t.test('interception', { skip: missingForNetns('tcpdump', 'psql') || missingPostgres() }, async t => {
  await using wire = await NetnsMesh.start();
  const { hub } = wire;
  const [client, server] = [await wire.machine(), await wire.machine()];
  await Promise.all([redirect(client), redirect(server)]);
  await wire.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      clusterIP: WEB_IPV4,
      clusterIPs: [WEB_IPV4, WEB_IPV6],
      ports: [
        { name: 'http', port: 80, targetPort: 8080 },
        { name: 'grpc', port: 81, targetPort: 50_051, appProtocol: 'grpc' },
        { name: 'thrift', port: 82, targetPort: 9_090, appProtocol: 'thrift' },
        { name: 'postgres', port: 5_432, appProtocol: 'tcp' },
      ],
    },
  });
  const flask = "from flask_app import app; app.run(host='::', port=8080)";
  const app = wire.spawn(server, [PYTHON, '-c', flask], { PYTHONPATH: join(FLASK_APP, '..') });
  const grpc = wire.spawn(server, [PYTHON, '-c', GRPC_SERVER]);
  wire.spawn(server, await postgres(wire.file('postgres'), 5_432, createSvid(createTestMesh().root, 'postgres')));
  wire.spawn(server, [PYTHON, THRIFT, 'server', '9090', 'framed', 'binary']);
  const [beside] = await Promise.all([
    wire.sidecar(client, 'shopper', ''),
    wire.sidecar(server, 'web', 'http=8080,grpc=50051,thrift=9090,tcp=5432'),
  ]);
  await waitFor('the apps', () => app.stderr.includes('Running on') && grpc.stdout.includes('up'));

  await t.test('curl calls Flask by the address of its service, over mTLS', async t => {
    for (const url of [`http://${WEB_IPV4}/headers`, `http://[${WEB_IPV6}]/headers`]) {
      const { stdout, stderr } = await wire.curl(client, url);
      t.match(stdout, /spiffe:\/\/mesh\.local\/ns\/default\/sa\/shopper/, `${url} ${stderr}`);
    }
  });

  await t.test('gRPC in Python calls gRPC in Python', async t => {
    for (const address of [`${WEB_IPV4}:81`, `[${WEB_IPV6}]:81`]) {
      const { stdout, stderr } = await runToEnd('ip', on(client, PYTHON, '-c', GRPC_CLIENT, address));
      t.equal(stdout, 'hello spiffe://mesh.local/ns/default/sa/shopper\n', `${address} ${stderr}`);
    }
  });

  await t.test('Apache Thrift in Python calls itself', async t => {
    for (const address of [`${WEB_IPV4}:82`, `${WEB_IPV6}:82`]) {
      const { stdout, stderr } = await runToEnd(
        'ip',
        on(client, PYTHON, THRIFT, 'client', address, 'framed', 'binary'),
      );
      t.match(stdout, /"case": "large", .*"length": 10000000/, `${address} ${stderr}`);
    }
    const { stdout } = await wire.curl(client, 'http://127.0.0.1:15020/metrics');
    t.match(stdout, /method="echo".*request_protocol="thrift".*mutual_tls/, 'each call is counted, by its method');
  });

  await t.test('psql calls PostgreSQL, in plain text and in TLS of its own', async t => {
    for (const host of [WEB_IPV4, WEB_IPV6])
      for (const sslmode of ['disable', 'require']) {
        const connection = `host=${host} user=${SUPERUSER} dbname=postgres sslmode=${sslmode} connect_timeout=20`;
        const { stdout, stderr } = await runToEnd('ip', on(client, 'psql', '-Atc', 'select 6 * 7', connection));
        t.equal(stdout, '42\n', `${host} ${sslmode} ${stderr}`);
      }
  });

  await t.test('and by the address of the instance', async t => {
    const { stdout } = await wire.curl(client, `http://${server.ipv4}:8080/headers`);
    t.match(stdout, /sa\/shopper/);
  });

  await t.test(
    'nothing of it can be read on the wire, where there is TLS and nothing else between the two',
    async t => {
      const file = wire.file('capture');
      const capture = wire.spawn(hub, ['tcpdump', '-i', 'br0', '-U', '-w', file, 'tcp']);
      await waitFor('tcpdump', () => capture.stderr.includes('listening'));
      const body = ['-d', SECRET, '-H', 'content-type: text/plain'];
      t.match((await wire.curl(client, ...body, `http://${WEB_IPV4}/echo`)).stdout, SECRET);
      t.equal(await wire.talk(client, hub.ipv4, 9_999), 'ECONNRESET\nclosed\n', 'nobody is there');
      await waitFor('the capture', () => readFileSync(file).length > 1_000);
      await capture.stop();
      t.notOk(readFileSync(file).includes(SECRET));
      const between = await runToEnd('tcpdump', [
        '-nn',
        '-r',
        file,
        `host ${client.ipv4} and host ${server.ipv4} and not port 15006`,
      ]);
      t.equal(between.stdout, '', 'all of it goes to the inbound port of the other sidecar');
    },
  );

  await t.test('what is not in the mesh is passed through, whoever speaks first', async t => {
    const outside = wire.spawn(hub, [process.execPath, '-e', OUTSIDE]);
    await waitFor('the outside', () => outside.stdout.includes('up'));
    t.equal(await wire.talk(client, hub.ipv4, 9_000, 'hello'), 'heard helloclosed\n');
    t.equal(await wire.talk(client, hub.ipv6, 9_000, 'hello'), 'heard helloclosed\n');
    t.equal(await wire.talk(client, hub.ipv4, 9_001), 'welcome\nclosed\n');
    const { stdout } = await wire.curl(client, 'http://127.0.0.1:15020/metrics');
    t.match(stdout, /outrider_tcp_connections_opened_total\{.*destination_service="passthrough".*\} [3-9]/);
  });

  await t.test('a program calls its own loopback directly', async t => {
    const { stdout } = await wire.curl(server, 'http://127.0.0.1:8080/headers');
    t.match(stdout, /Host/);
    t.notMatch(stdout, /spiffe/);
  });

  await t.test('plain text from outside is refused, until a PeerAuthentication lets it in', async t => {
    const seen = async () => (await wire.curl(server, 'http://127.0.0.1:8080/seen')).stdout;
    const before = await seen();
    const forged = [
      '-H',
      'x-outrider-peer: spiffe://mesh.local/ns/default/sa/admin',
      '-H',
      'x-forwarded-client-cert: URI=x',
    ];
    const url = `http://${server.ipv4}:8080/headers`;
    const refused = await wire.curl(hub, url);
    t.match(refused.stderr, /reset|Couldn't connect/, 'reset at once');
    t.equal(await seen(), before, 'no byte of it came to the app');
    await wire.apply(policy({ mode: 'PERMISSIVE' }));
    await waitFor('plain text to be let in', async () => (await wire.curl(hub, url)).code === 0);
    const { stdout } = await wire.curl(hub, ...forged, url);
    t.match(stdout, /Host/);
    t.notMatch(stdout, /spiffe|URI=x/i, 'a forged identity is not passed on');
    const metrics = (await wire.curl(server, 'http://127.0.0.1:15020/metrics')).stdout;
    t.match(metrics, /outrider_requests_total\{[^}]*connection_security_policy="none"/);
    t.match((await wire.curl(client, `http://${WEB_IPV4}/headers`)).stdout, /sa\/shopper/, 'the mesh keeps to mTLS');
    await wire.apply(policy({ mode: 'PERMISSIVE' }, { 8080: { mode: 'STRICT' } }));
    await waitFor('the port to be closed again', async () => (await wire.curl(hub, url)).code !== 0);
  });

  await t.test('a sidecar whose own connections are redirected says so, and does not go round in circles', async t => {
    const lost = await wire.machine();
    await redirect(lost, '4242');
    const child = wire.startSidecar(lost, 'shopper', '');
    await waitFor('its complaint', () => child.stdout.includes("sidecar's own connections are redirected"), 40_000);
    t.ok(child.stdout.split('own connections are redirected').length < 10);
  });

  await t.test('without its sidecar nothing goes out, and nothing comes in', async t => {
    await beside.stop();
    t.equal((await wire.curl(client, `http://${WEB_IPV4}/`)).code, 7);
    t.equal(await wire.talk(client, hub.ipv4, 9_000, 'hello'), 'ECONNREFUSED\nclosed\n');
  });
});

const policy = (mtls: object, portLevelMtls?: object) => ({
  apiVersion: 'outrider.mesh/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'web', namespace: 'default' },
  spec: { selector: { matchLabels: { app: 'web' } }, mtls, ...(portLevelMtls && { portLevelMtls }) },
});
