/**
 * Ten protocols on ports whose protocol nobody declared, `OUTRIDER_CONNECTIONS` (1,000) connections each in random order, their first bytes dribbled in:
 * no verdict breaks one. And what the look costs until a connection answers. Needs root and network namespaces.
 */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type Machine, on } from '../support/namespaces.ts';
import { missingForNetns, NetnsMesh, redirect } from '../support/netns-mesh.ts';
import { RunningProcess, runToEnd } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../fixtures/ten-protocols.ts', import.meta.url));
const CONNECTIONS = Number(process.env.OUTRIDER_CONNECTIONS ?? 1_000);
const FIRST = 9_200;
const ADDRESS = '10.96.0.30';

/** Connects again and again, from one port after the other so that none is used twice; prints median and 99th percentile of the time until the first byte of the server, in milliseconds. */
const STOPWATCH = `
const net = require('node:net');
const [host, port, from, words] = process.argv.slice(1);
let localPort = Number(from);
const one = () => new Promise((resolve, reject) => {
  const begun = performance.now();
  const socket = net.connect({ host, port: Number(port), localPort: localPort++ }, () => words && socket.write(JSON.parse(words)));
  socket.once('data', () => { resolve(performance.now() - begun); socket.destroy(); }).on('error', reject);
});
(async () => {
  for (let i = 0; i < 20; i++) await one();
  const times = [];
  for (let i = 0; i < 300; i++) times.push(await one());
  times.sort((a, b) => a - b);
  console.log(times[150].toFixed(2) + ' ' + times[296].toFixed(2));
})();`;

t.setTimeout(60_000 + CONNECTIONS * 600);

t.test('ten protocols that nobody declared', { skip: missingForNetns() }, async t => {
  await using mesh = await NetnsMesh.start();
  const [client, server] = [await mesh.machine(), await mesh.machine()];
  await Promise.all([redirect(client), redirect(server)]);
  const ports = Array.from({ length: 10 }, (_, i) => FIRST + i);
  await mesh.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'ten', namespace: 'default' },
    spec: {
      clusterIP: ADDRESS,
      ports: ports.map(port => ({
        name: `p${port}`,
        port,
      })),
    },
  });
  const servers = mesh.spawn(server, [process.execPath, PROGRAM, 'server', String(FIRST)]);
  await Promise.all([mesh.sidecar(client, 'caller', ''), mesh.sidecar(server, 'ten', ports.join())]);
  await waitFor('the servers', () => servers.stdout.includes('up'), 30_000);
  const words = [process.execPath, PROGRAM, 'client', ADDRESS, String(FIRST), String(CONNECTIONS), client.ipv4];
  const child = new RunningProcess('ip', on(client, ...words));
  await child.exited;
  t.same(JSON.parse(child.stdout || '{}'), { right: 10 * CONNECTIONS, wrong: {} }, child.stderr);

  const PING = JSON.stringify('*1\r\n$4\r\nPING\r\n');
  // Behind those of the program, before those that the kernel gives.
  let from = 27_000;
  for (const [name, port, say] of [
    ['the client speaks first', FIRST + 4, PING],
    ['the server speaks first', FIRST + 7, ''],
  ] as const) {
    const time = async (machine: Machine, host: string) => {
      const words = ['-e', STOPWATCH, host, String(port), String(from), say];
      from += 500;
      const { stdout, stderr } = await runToEnd('ip', on(machine, process.execPath, ...words));
      return stdout.trim() || stderr;
    };
    const [direct, through] = [await time(server, '127.0.0.1'), await time(client, ADDRESS)];
    t.comment(`${name}: until the first byte, median and p99 in ms: ${direct} direct, ${through} through the mesh`);
    t.match(through, /^[\d.]+ [\d.]+$/);
  }
});
