/**
 * Connections that are redirected at a high rate: none goes wrong or astray, and nothing stays. `OUTRIDER_SECONDS` (60) of `OUTRIDER_RATE` (1,000) a second.
 * Needs root and network namespaces.
 */
import { readdirSync } from 'node:fs';
import t from 'tap';
import { on } from '../support/namespaces.ts';
import { missingForNetns, NetnsMesh, redirect } from '../support/netns-mesh.ts';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const SECONDS = Number(process.env.OUTRIDER_SECONDS ?? 60);
const RATE = Number(process.env.OUTRIDER_RATE ?? 1_000);
const WARM_UP_SECONDS = 20;
const PORTS = 20;
const FIRST = 9_100;
const ADDRESS = '10.96.0.20';
/** Each port answers what it hears with its own number. */
const SERVERS = `
const net = require('node:net');
for (let port = ${FIRST}; port < ${FIRST + PORTS}; port++)
  net.createServer(socket => socket.on('data', data => socket.end(port + ' ' + data)).on('error', () => {})).listen(port, '127.0.0.1');
console.log('up');`;
/** Addresses of the client, so that none of its ports is used twice: the kernel would take up a redirected connection that has just ended, and reset the new one. */
const SOURCES = ['10.77.0.101', '10.77.0.102', '10.77.0.103'];
const SOURCE_PORTS = 30_000;
/** Opens connections at a steady rate, each to a port by its number; prints what came of them. */
const CLIENTS = `
const net = require('node:net');
const [address, rate, seconds, skipped] = process.argv.slice(1);
const sources = ${JSON.stringify(SOURCES)};
const outcomes = {};
const count = outcome => { outcomes[outcome] = (outcomes[outcome] ?? 0) + 1; open--; };
let begun = 0, open = 0;
const startedAt = performance.now();
const one = number => {
  const port = ${FIRST} + number % ${PORTS};
  let text = '', failed;
  open++;
  const source = Number(skipped) + number;
  const localAddress = sources[Math.floor(source / ${SOURCE_PORTS})];
  const socket = net.connect({ port, host: address, localAddress, localPort: 20000 + source % ${SOURCE_PORTS} });
  socket.on('connect', () => socket.write(String(number)));
  socket.on('data', data => { text += data; }).on('error', error => { failed = error.code; });
  socket.on('close', () => count(failed ?? (text === port + ' ' + number ? 'right' : 'wrong: ' + text)));
};
const timer = setInterval(() => {
  const elapsed = performance.now() - startedAt;
  while (begun < elapsed * rate / 1000 && begun < rate * seconds) one(begun++);
  if (begun < rate * seconds) return;
  clearInterval(timer);
  const end = setInterval(() => {
    if (open > 0 && performance.now() - startedAt < (Number(seconds) + 20) * 1000) return;
    clearInterval(end);
    console.log(JSON.stringify({ begun, open, ...outcomes, seconds: Math.round((performance.now() - startedAt) / 100) / 10 }));
    process.exit();
  }, 50);
}, 5);`;

const descriptors = ({ pid }: RunningProcess): number => readdirSync(`/proc/${pid}/fd`).length;

t.setTimeout(120_000 + SECONDS * 2_000);

t.test('a thousand redirected connections a second', { skip: missingForNetns() }, async t => {
  await using mesh = await NetnsMesh.start();
  const [client, server] = [await mesh.machine(), await mesh.machine()];
  await Promise.all([redirect(client), redirect(server)]);
  const ports = Array.from({ length: PORTS }, (_, i) => FIRST + i);
  await mesh.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'many', namespace: 'default' },
    spec: {
      clusterIP: ADDRESS,
      ports: ports.map(port => ({ name: `p${port}`, port, targetPort: port, appProtocol: 'tcp' })),
    },
  });
  const servers = mesh.spawn(server, [process.execPath, '-e', SERVERS]);
  const sidecars = await Promise.all([
    mesh.sidecar(client, 'caller', ''),
    mesh.sidecar(server, 'many', ports.map(port => `tcp=${port}`).join()),
  ]);
  await waitFor('the servers', () => servers.stdout.includes('up'));

  for (const address of SOURCES)
    await runToEnd('ip', ['-n', client.namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
  const load = async (seconds: number, skipped: number) => {
    const words = [process.execPath, '-e', CLIENTS, ADDRESS, ...[RATE, seconds, skipped].map(String)];
    const child = new RunningProcess('ip', on(client, ...words));
    await child.exited;
    return JSON.parse(child.stdout) as Readonly<Record<string, number>>;
  };
  await load(WARM_UP_SECONDS, 0);
  const settled = () => waitFor('connections to go', () => sidecars.every(each => descriptors(each) < 100));
  await settled();
  const before = sidecars.map(each => ({ descriptors: descriptors(each), bytes: each.residentBytes() }));
  const outcome = await load(SECONDS, WARM_UP_SECONDS * RATE);
  t.comment(JSON.stringify(outcome));
  for (const each of sidecars) {
    const lines = each.stdout.split('\n').filter(line => line.includes('"type":"access"'));
    for (const line of lines.slice(-5)) t.comment(line);
  }
  t.equal(outcome.right, RATE * SECONDS, 'every one came to the port that it was for');
  t.equal(outcome.begun, RATE * SECONDS);
  await settled();
  for (const [i, each] of sidecars.entries()) {
    const { descriptors: were = 0, bytes = 0 } = before[i] ?? {};
    t.comment(`${were} descriptors → ${descriptors(each)}; ${mib(bytes)} MiB → ${mib(each.residentBytes())} MiB`);
    t.ok(descriptors(each) <= were + 5, 'no descriptor is left');
    t.ok(each.residentBytes() < bytes * 1.25, 'nor memory');
  }
});

const mib = (bytes: number): number => Math.round(bytes / 1_048_576);
