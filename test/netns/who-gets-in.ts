/**
 * Who gets in: peers, plain text, TLS of the client's own and garbage, at a port of the app and at the sidecar's own, under each mode of a
 * `PeerAuthentication`, judged by the bytes that the app gets. Needs root and network namespaces.
 */
import t from 'tap';
import { type Machine, on } from '../support/namespaces.ts';
import { missingForNetns, NetnsMesh, redirect } from '../support/netns-mesh.ts';
import { runToEnd } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const ADDRESS = '10.96.0.40';
/** Says how many bytes came, and answers. */
const APP = `
const net = require('node:net');
for (const port of [8080, 9000])
  net.createServer(socket => {
    socket.on('data', data => { console.log(port + ' ' + data.length); socket.end('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok'); }).on('error', () => {});
  }).listen(port, '127.0.0.1', () => console.log('up ' + port));`;
/** Sends something, prints what comes back or how it ended. */
const CLIENT = `
const net = require('node:net'), tls = require('node:tls'), crypto = require('node:crypto');
const [kind, host, port] = process.argv.slice(1);
const target = { host, port: Number(port) };
const words = { plain: 'GET / HTTP/1.1\\r\\nHost: web\\r\\n\\r\\n', garbage: Buffer.concat([Buffer.from([1]), crypto.randomBytes(500)]) };
const socket = kind === 'tls' ? tls.connect({ ...target, rejectUnauthorized: false }) : net.connect(target, () => socket.write(words[kind]));
socket.on('data', data => { console.log(String(data).slice(0, 15)); socket.destroy(); }).on('error', error => console.log(error.code)).on('close', () => process.exit());
setTimeout(() => { console.log('silence'); process.exit(); }, 20000);`;

type Kind = 'plain' | 'tls' | 'garbage';
const KINDS: readonly Kind[] = ['plain', 'tls', 'garbage'];

const policy = (mode: string, port: string) => ({
  apiVersion: 'outrider.mesh/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'web', namespace: 'default' },
  spec: { selector: { matchLabels: { app: 'web' } }, mtls: { mode }, portLevelMtls: { 9000: { mode: port } } },
});

t.setTimeout(240_000);

t.test('who gets in', { skip: missingForNetns() }, async t => {
  await using mesh = await NetnsMesh.start();
  const { hub } = mesh;
  const [client, server] = [await mesh.machine(), await mesh.machine()];
  await Promise.all([redirect(client), redirect(server)]);
  await mesh.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      clusterIP: ADDRESS,
      ports: [
        { name: 'http', port: 8_080 },
        { name: 'raw', port: 9_000, appProtocol: 'tcp' },
      ],
    },
  });
  const app = mesh.spawn(server, [process.execPath, '-e', APP]);
  await Promise.all([mesh.sidecar(client, 'caller', ''), mesh.sidecar(server, 'web', 'http=8080,tcp=9000')]);
  await waitFor('the app', () => app.stdout.includes('up 8080') && app.stdout.includes('up 9000'));
  const arrived = () => app.stdout.split('\n').filter(line => /^\d+ \d+$/.test(line)).length;
  const say = async (from: Machine, kind: Kind, host: string, port: number) => {
    const before = arrived();
    const { stdout } = await runToEnd('ip', on(from, process.execPath, '-e', CLIENT, kind, host, String(port)));
    return { said: stdout, reached: arrived() > before };
  };
  const refused = { said: /^ECONN(RESET|REFUSED)/, reached: false };

  for (const [mode, port] of [
    ['STRICT', 'STRICT'],
    ['PERMISSIVE', 'STRICT'],
    ['DISABLE', 'PERMISSIVE'],
  ] as const)
    await t.test(`${mode}, and ${port} for one port`, async t => {
      await mesh.apply(policy(mode, port));
      const open = { 8080: mode !== 'STRICT', 9000: port !== 'STRICT' };
      await waitFor('the policy', async () => {
        for (const [at, isOpen] of Object.entries(open))
          if ((await say(hub, 'plain', server.ipv4, Number(at))).reached !== isOpen) return false;
        return true;
      });
      for (const at of [8080, 9000] as const)
        for (const kind of KINDS) {
          const { said, reached } = await say(hub, kind, server.ipv4, at);
          if (open[at]) t.ok(reached, `${kind} comes in at ${at}: ${said}`);
          else t.match({ said, reached }, refused, `${kind} is refused at ${at}`);
        }
      for (const kind of KINDS)
        t.notOk(
          (await say(hub, kind, server.ipv4, 15_006)).reached,
          `${kind} never comes in at the sidecar's own port`,
        );
      for (const at of [8080, 9000]) {
        t.match(
          await say(client, 'plain', ADDRESS, at),
          { said: /^HTTP\/1.1 200 OK/, reached: true },
          `a peer comes in at ${at}`,
        );
        t.ok((await say(client, 'tls', ADDRESS, at)).reached, 'with TLS of its own inside, too');
      }
    });
});
