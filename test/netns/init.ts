/**
 * `outrider init` on machines made of network namespaces: what the kernel then redirects, over IPv4 and IPv6, with nft and both kinds of iptables.
 * No sidecar: a program that says at which port a connection arrived. Needs root, `ip`, `nft` and iptables; skips with a sentence elsewhere.
 */
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { findProgram, missing } from '../support/foreign-tools.ts';
import { type Machine, Namespaces, on } from '../support/namespaces.ts';
import { type Finished, RunningProcess, runToEnd } from '../support/processes.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const IPTABLES = ['iptables-save', 'iptables-restore', 'ip6tables-save', 'ip6tables-restore'];
const SIDECAR = 1337;
const APP = 1000;

/** Accepts at each `[name, host, port]` and says the name; answers datagrams at 5353 with `udp`; `echo` gives back what it gets. */
const LISTEN = `
const net = require('node:net');
const places = JSON.parse(process.argv[1]);
let waiting = places.length + 1;
const up = () => --waiting || console.log('up');
const serve = name => socket => { socket.on('error', () => {}); name === 'echo' ? socket.pipe(socket) : socket.end(name); };
for (const [name, host, port] of places) net.createServer(serve(name)).listen(port, host, up);
const udp = require('node:dgram').createSocket('udp6').on('message', (_, from) => udp.send('udp', from.port, from.address));
udp.bind(5353, '::', up);`;
/** As this user, prints what each \`[host, port]\` says it is, or the error. */
const CALL = `
const [{ uid, gid }, targets] = JSON.parse(process.argv[1]);
process.setgroups([]);
process.setgid(gid);
process.setuid(uid);
const call = ([host, port]) => new Promise(done => {
  const socket = require('node:net').connect(port, host);
  let said = '';
  socket.on('data', data => { said += data; }).on('error', error => done(error.code)).on('close', () => done(said));
  socket.setTimeout(5000, () => done('silence'));
});
Promise.all(targets.map(call)).then(answers => { console.log(JSON.stringify(answers)); process.exit(); });`;
/** Prints a dot for each byte that comes back. */
const KEEP_ASKING = `
const socket = require('node:net').connect(process.argv[2] ?? 7, process.argv[1]);
socket.on('data', () => process.stdout.write('.')).on('close', () => process.exit(1)).on('error', () => process.exit(1));
setInterval(() => socket.write('x'), 50);`;
const ASK_UDP = `
const socket = require('node:dgram').createSocket(process.argv[1].includes(':') ? 'udp6' : 'udp4');
socket.on('message', answer => { console.log(String(answer)); process.exit(); });
socket.send('?', 5353, process.argv[1]);
setTimeout(() => process.exit(1), 5000);`;

interface User {
  readonly uid: number;
  readonly gid: number;
}

const user = (uid: number, gid = uid): User => ({ uid, gid });

/** A pod, and the outside that it reaches; `tools` stands first in PATH. */
class Scene implements AsyncDisposable {
  readonly outside: Machine;
  readonly pod: Machine;
  readonly namespaces: Namespaces;
  private readonly processes: RunningProcess[] = [];
  private readonly tools: string;

  private constructor(namespaces: Namespaces, outside: Machine, pod: Machine, tools: string) {
    this.namespaces = namespaces;
    this.outside = outside;
    this.pod = pod;
    this.tools = tools;
  }

  static async start(tools = ''): Promise<Scene> {
    const namespaces = new Namespaces();
    const scene = new Scene(namespaces, await namespaces.add(), await namespaces.add(), tools);
    const apps = (name: string, ports: readonly number[]) => ports.map(port => [`${name} ${port}`, '::', port]);
    await Promise.all([
      scene.listen(scene.outside, [...apps('outside', [22, 80, 443, 8080]), ['echo', '::', 7]]),
      scene.listen(scene.pod, [
        ...apps('app', [22, 8080, 8090, 15020]),
        ['echo', '::', 7],
        ['outbound', '127.0.0.1', 15001],
        ['outbound', '::1', 15001],
        ['inbound', '::', 15006],
      ]),
    ]);
    return scene;
  }

  spawn(machine: Machine, ...words: readonly string[]): RunningProcess {
    const child = new RunningProcess('ip', on(machine, process.execPath, '-e', ...words));
    this.processes.push(child);
    return child;
  }

  private async listen(machine: Machine, places: readonly unknown[]): Promise<void> {
    const child = this.spawn(machine, LISTEN, JSON.stringify(places));
    await waitFor('the listeners', () => {
      if (child.exit !== undefined) throw new Error(child.output());
      return child.stdout.includes('up');
    });
  }

  inPod(...words: readonly string[]): Promise<Finished> {
    return runToEnd('ip', on(this.pod, ...words), { env: { PATH: `${this.tools}:${process.env.PATH}` } });
  }

  init(...flags: readonly string[]): Promise<Finished> {
    return this.inPod(process.execPath, PROGRAM, 'init', ...flags);
  }

  /** Everything that nft and iptables know in the pod, without what they counted. */
  async listing(): Promise<string> {
    const programs = [['nft', '-s', 'list', 'ruleset'], ['iptables-save'], ['ip6tables-save']];
    const said: string[] = [];
    for (const words of programs) said.push((await this.inPod(...words)).stdout);
    return said
      .join('')
      .replace(/^#.*\n/gm, '')
      .replace(/\[\d+:\d+\]|counter packets \d+ bytes \d+ /g, '');
  }

  async call(
    from: Machine,
    as: User,
    ...targets: readonly (readonly [host: string, port: number])[]
  ): Promise<unknown> {
    const words = [process.execPath, '-e', CALL, JSON.stringify([as, targets])];
    const { stdout, stderr } = await runToEnd('ip', on(from, ...words));
    return stdout === '' ? stderr : JSON.parse(stdout);
  }

  /** What those ports say, asked over IPv4 and over IPv6; an array for each. */
  async both(from: Machine, as: User, to: Machine, ...ports: readonly number[]): Promise<unknown> {
    const over = (host: string) => ports.map(port => [host, port] as const);
    const answers = (await this.call(from, as, ...over(to.ipv4), ...over(to.ipv6))) as readonly string[];
    return [answers.slice(0, ports.length), answers.slice(ports.length)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.processes.map(child => child.stop()));
    await this.namespaces[Symbol.asyncDispose]();
  }
}

const twice = <T>(answers: T): readonly [T, T] => [answers, answers];

/** A folder of programs that stand before the machine's own. */
const folderOfTools = (t: { teardown(fn: () => void): void }, fill: (folder: string) => void): string => {
  const folder = mkdtempSync(join(tmpdir(), 'netns-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  fill(folder);
  return folder;
};

const script = (path: string, text: string): void => {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
};

const asRoot = process.getuid?.() === 0;
const skip = asRoot
  ? missing('ip', 'nft', 'setpriv', ...IPTABLES)
  : 'needs root, to make network namespaces; .ci/run is root';

interface Kind {
  readonly name: string;
  readonly backend: string;
  /** The program that is iptables for it. */
  readonly multi?: string;
}

const KINDS: readonly Kind[] = [
  { name: 'nft', backend: 'nft' },
  { name: 'iptables on nf_tables', backend: 'iptables', multi: 'xtables-nft-multi' },
  { name: 'legacy iptables', backend: 'iptables', multi: 'xtables-legacy-multi' },
];

t.setTimeout(300_000);

for (const { name, backend, multi } of KINDS)
  t.test(name, { skip: skip || (multi !== undefined && missing(multi)) }, async t => {
    const tools = folderOfTools(t, folder => {
      if (multi !== undefined)
        for (const program of IPTABLES) symlinkSync(String(findProgram(multi)), join(folder, program));
    });
    await using scene = await Scene.start(tools);
    const { pod, outside } = scene;
    const [app, sidecar] = [user(APP), user(SIDECAR)];
    const init = async (...flags: readonly string[]): Promise<void> => {
      const { code, stdout, stderr } = await scene.init('--backend', backend, ...flags);
      if (code !== 0) throw new Error(stdout + stderr);
    };

    /** Still alive, and answered. */
    const hear = async (child: RunningProcess): Promise<boolean> => {
      const from = child.stdout.length;
      await waitFor('an echo', () => child.exit !== undefined || child.stdout.length > from + 3);
      return child.exit === undefined;
    };

    await t.test('a connection that stands is not touched', async t => {
      const both = [scene.spawn(pod, KEEP_ASKING, outside.ipv4), scene.spawn(outside, KEEP_ASKING, pod.ipv6)];
      t.same(await Promise.all(both.map(hear)), [true, true]);
      await init();
      t.same(await Promise.all(both.map(hear)), [true, true]);
      await Promise.all(both.map(child => child.stop()));
    });

    await t.test('what goes out is taken, but not to port 22, and not what is not TCP', async t => {
      t.same(await scene.both(pod, app, outside, 80, 443, 22), twice(['outbound', 'outbound', 'outside 22']));
      for (const host of [outside.ipv4, outside.ipv6])
        t.equal((await scene.inPod(process.execPath, '-e', ASK_UDP, host)).stdout, 'udp\n');
    });

    await t.test('the sidecar is told by its user or its group', async t => {
      t.same(await scene.both(pod, user(SIDECAR, APP), outside, 80), twice(['outside 80']));
      t.same(await scene.both(pod, user(APP, SIDECAR), outside, 80), twice(['outside 80']));
    });

    await t.test(
      'loopback is direct; the own address is a service like any other, and direct for the sidecar',
      async t => {
        const loopback = ['127.0.0.1', '127.0.0.53', '::1'].map(host => [host, 8080] as const);
        t.same(await scene.call(pod, app, ...loopback), ['app 8080', 'app 8080', 'app 8080']);
        t.same(await scene.both(pod, app, pod, 8080), twice(['outbound']));
        t.same(await scene.both(pod, sidecar, pod, 8080), twice(['app 8080']));
      },
    );

    await t.test("what comes in is taken, but not at port 22 and the mesh's own", async t => {
      t.same(
        await scene.both(outside, app, pod, 8080, 9999, 22, 15020, 15006),
        twice(['inbound', 'inbound', 'app 22', 'app 15020', 'inbound']),
      );
    });

    await t.test('what only passes through is not taken', async t => {
      const guest = await scene.namespaces.add();
      const run = async (machine: Machine, ...words: readonly string[]) =>
        t.match(await runToEnd('ip', on(machine, ...words)), { code: 0 });
      await run(pod, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
      await run(outside, 'ip', 'addr', 'add', '10.99.0.1/32', 'dev', 'lo');
      await run(outside, 'ip', 'addr', 'add', 'fd99::1/128', 'dev', 'lo');
      await run(guest, 'ip', 'route', 'add', '10.99.0.1', 'via', pod.ipv4);
      await run(guest, 'ip', '-6', 'route', 'add', 'fd99::1', 'via', pod.ipv6);
      t.same(await scene.call(guest, app, ['10.99.0.1', 80], ['fd99::1', 80]), ['outside 80', 'outside 80']);
    });

    await t.test('a second run changes nothing', async t => {
      const before = await scene.listing();
      await init();
      t.equal(await scene.listing(), before);
      t.match(before, /15001/);
    });

    await t.test('other rules leave connections with the sidecar alone', async t => {
      await init('--outbound-port', '7');
      const taken = scene.spawn(pod, KEEP_ASKING, outside.ipv4, '9999');
      t.ok(await hear(taken), 'by the port that the sidecar would have');
      await init('--exclude-outbound-ports', '9999');
      t.ok(await hear(taken));
      await taken.stop();
      await init();
    });

    await t.test('ports', async t => {
      const many = Array.from({ length: 20 }, (_, i) => 1_000 + 2 * i).join(',');
      await init('--exclude-outbound-ports', `80,440-450,${many}`, '--exclude-inbound-ports', '8080');
      t.same(await scene.both(pod, app, outside, 80, 443, 8080), twice(['outside 80', 'outside 443', 'outbound']));
      t.same(await scene.both(outside, app, pod, 8080, 8090), twice(['app 8080', 'inbound']));
      await init('--outbound-ports', `${many},80`, '--inbound-ports', '8080');
      t.same(await scene.both(pod, app, outside, 80, 443), twice(['outbound', 'outside 443']));
      t.same(await scene.both(outside, app, pod, 8080, 8090), twice(['inbound', 'app 8090']));
      await init('--inbound-ports', 'none', '--outbound-ports', 'none');
      t.same(await scene.both(pod, app, outside, 80), twice(['outside 80']));
      t.same(await scene.both(outside, app, pod, 8080), twice(['app 8080']));
      await init('--inbound-port', '8090', '--outbound-port', '8080');
      t.same(await scene.both(pod, app, outside, 80), twice(['app 8080']), 'another port of the sidecar');
      t.same(await scene.both(outside, app, pod, 9999), twice(['app 8090']));
    });

    await t.test('networks', async t => {
      await init('--exclude-cidrs', `${outside.ipv4},fd00::1/8,${outside.ipv6}/128`);
      t.same(await scene.both(pod, app, outside, 80), twice(['outside 80']));
      t.same(await scene.both(pod, app, pod, 8080), [['outbound'], ['app 8080']]);
      await init('--include-cidrs', '10.77.0.0/24,10.0.0.0/9,fd77::/64');
      t.same(await scene.both(pod, app, outside, 80), twice(['outbound']));
      await init('--include-cidrs', '10.1.0.0/16');
      t.same(await scene.both(pod, app, outside, 80), twice(['outside 80']));
    });

    await t.test('users and groups', async t => {
      const [another, member] = [user(1_001), user(1_001, 2_500)];
      await init('--exclude-uids', String(APP), '--exclude-gids', '2000-2999');
      t.same(await scene.both(pod, app, outside, 80), twice(['outside 80']));
      t.same(await scene.both(pod, another, outside, 80), twice(['outbound']));
      t.same(await scene.both(pod, member, outside, 80), twice(['outside 80']));
      await init('--include-uids', String(APP), '--include-gids', '2000-2999');
      t.same(await scene.both(pod, app, outside, 80), twice(['outbound']));
      t.same(await scene.both(pod, another, outside, 80), twice(['outside 80']));
      t.same(await scene.both(pod, member, outside, 80), twice(['outbound']));
      await init('--proxy-uid', '1001', '--proxy-gid', 'none');
      t.same(await scene.both(pod, another, outside, 80), twice(['outside 80']));
      t.same(await scene.both(pod, sidecar, outside, 80), twice(['outbound']), 'a user like any other now');
    });

    await t.test('network interfaces, both ways', async t => {
      await init('--exclude-interfaces', 'eth0,eth9');
      t.same(await scene.both(pod, app, outside, 80), twice(['outside 80']));
      t.same(await scene.both(pod, app, pod, 8080), twice(['outbound']), 'by way of lo');
      t.same(await scene.both(outside, app, pod, 8080), twice(['app 8080']));
      await init('--include-interfaces', 'eth0,eth9');
      t.same(await scene.both(pod, app, outside, 80), twice(['outbound']));
      t.same(await scene.both(pod, app, pod, 8080), twice(['app 8080']));
      t.same(await scene.both(outside, app, pod, 8080), twice(['inbound']));
    });

    await t.test('IPv4 alone, where that is wanted', async t => {
      await init('--ipv4-only');
      t.same(await scene.both(pod, app, outside, 80), [['outbound'], ['outside 80']]);
      t.same(await scene.both(outside, app, pod, 8080), [['inbound'], ['app 8080']]);
    });

    await t.test('after --cleanup everything is as before', async t => {
      await init('--cleanup');
      t.match(await scene.init('--cleanup'), { code: 0, stdout: 'There were no rules.\n' });
      const empty = await scene.listing();
      if (multi !== 'xtables-legacy-multi') t.equal(empty, '', 'no table of ours is left');
      await init();
      t.match(await scene.init('--cleanup'), { code: 0, stdout: 'The rules are gone.\n' });
      t.equal(await scene.listing(), empty);
      const own = ['-p', 'tcp', '--dport', '4711', '-j', 'RETURN'];
      const programs = multi === undefined ? ['iptables', 'ip6tables'] : [`${multi} iptables`, `${multi} ip6tables`];
      for (const program of programs)
        for (const words of [
          ['-N', 'MINE'],
          ['-A', 'OUTPUT', ...own],
          ['-A', 'PREROUTING', '-j', 'MINE'],
        ])
          t.match(await scene.inPod(...program.split(' '), '-t', 'nat', ...words), { code: 0 });
      const before = await scene.listing();
      t.match(before, /4711/);
      await init();
      t.same(await scene.both(pod, app, outside, 80), twice(['outbound']));
      await init('--cleanup');
      t.equal(await scene.listing(), before, "others' rules too");
      t.same(await scene.both(pod, app, outside, 80), twice(['outside 80']));
      t.same(await scene.both(outside, app, pod, 8080), twice(['app 8080']));
    });

    await t.test('what --print shows is what is installed', async t => {
      const { stdout } = await scene.init('--backend', backend, '--print');
      t.notMatch(await scene.listing(), /15001/, 'and it installs nothing');
      const file = join(tools, 'rules');
      if (backend === 'nft') {
        writeFileSync(file, stdout);
        t.match(await scene.inPod('nft', '-f', file), { code: 0 });
      } else
        for (const part of stdout.split(/^(?=# )/m)) {
          const [first = '', ...rest] = part.split('\n');
          writeFileSync(file, rest.join('\n'));
          t.match(await scene.inPod('sh', '-c', `${first.slice(2)} < ${file}`), { code: 0 });
        }
      const printed = await scene.listing();
      await init();
      t.equal(await scene.listing(), printed);
    });
  });

t.test('where it cannot be done', { skip }, async t => {
  const tools = folderOfTools(t, () => {});
  await using scene = await Scene.start(tools);
  const empty = await scene.listing();

  await t.test('without the capability it says so', async t => {
    const words = ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin'];
    t.match(await scene.inPod(...words, process.execPath, PROGRAM, 'init'), {
      code: 1,
      stderr: /^error: .*NET_ADMIN.*root/,
    });
  });

  await t.test('a failure half-way leaves nothing', async t => {
    const fail = join(tools, 'ip6tables-restore');
    script(fail, 'echo "no nat in this kernel" >&2; exit 2');
    const failed = await scene.init('--backend', 'iptables');
    t.match(failed, { code: 1, stdout: '', stderr: /^error: ip6tables-restore failed: no nat in this kernel/ });
    t.equal(await scene.listing(), empty);
    rmSync(fail);
  });

  await t.test('where nft fails, iptables takes over; where it works again, so does nft', async t => {
    script(join(tools, 'nft'), 'echo "Error: Operation not supported" >&2; exit 1');
    const { code, stdout, stderr } = await scene.init();
    t.match({ code, stdout }, { code: 0, stdout: /\(iptables, IPv4 and IPv6\)/ });
    t.match(stderr, /^note: nft failed: Error: Operation not supported/);
    t.match(await scene.both(scene.pod, user(APP), scene.outside, 80), twice(['outbound']));
    rmSync(join(tools, 'nft'));
    t.match(await scene.init(), { code: 0, stdout: /\(nft, IPv4 and IPv6\)/, stderr: '' });
    t.notMatch(await scene.listing(), /OUTRIDER_/, 'with nothing left of the other');
    t.match(await scene.init('--cleanup'), { code: 0 });
    t.equal(await scene.listing(), empty);
  });
});
