import { Command } from 'commander';
import t from 'tap';
import type { Machine } from '../../../cli/init/machine.ts';
import { registerInit } from '../../../cli/init.ts';

interface Said {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: unknown;
  /** Programs that were run. */
  readonly ran: readonly string[];
}

/** `outrider init` with these flags, where `nft` says this. */
const init = async (
  t: { capture: typeof import('tap').t.capture },
  flags: readonly string[],
  changed: Partial<Machine> = {},
): Promise<Said> => {
  const ran: string[] = [];
  const machine: Machine = {
    hasIPv6: true,
    mayAdminister: true,
    run: async program => {
      ran.push(program);
      return program === 'nft' ? { code: 0, stdout: '', stderr: '' } : undefined;
    },
    ...changed,
  };
  const program = new Command('outrider');
  registerInit(program, () => machine);
  const [stdout, stderr] = [
    t.capture(process.stdout, 'write', () => true),
    t.capture(process.stderr, 'write', () => true),
  ];
  const before = process.exitCode;
  await program.parseAsync(['init', ...flags], { from: 'user' });
  const code = process.exitCode;
  process.exitCode = before;
  const text = (captured: typeof stdout): string =>
    captured()
      .map(({ args }) => String(args[0]))
      .join('');
  const said = { stdout: text(stdout), stderr: text(stderr), code, ran };
  stdout.restore();
  stderr.restore();
  return said;
};

t.test('says what it has done', async t => {
  t.match(await init(t, ['--inbound-port', '9006']), {
    stdout: 'New connections are redirected (nft, IPv4 and IPv6): outbound to port 15001, inbound to port 9006.\n',
    stderr: '',
    code: undefined,
  });
  t.match(await init(t, ['--cleanup']), { stdout: 'There were no rules.\n', stderr: '' });
});

t.test('without IPv6 the rules are for IPv4, and a note says so', async t => {
  const none = { hasIPv6: false };
  t.match(await init(t, [], none), { stdout: /\(nft, IPv4 only\)/, stderr: /^note: this machine has no IPv6/ });
  t.match(await init(t, ['--print'], none), { stdout: /^table ip outrider/, stderr: /^note: / });
  t.match(
    await init(t, ['--print', '--backend', 'iptables'], none).then(({ stdout }) => stdout.includes('ip6')),
    false,
  );
  t.match(await init(t, ['--cleanup'], none), { stderr: '' });
  t.match(await init(t, ['--ipv4-only']), { stdout: /\(nft, IPv4 only\)/, stderr: '' }, 'nobody asked for it');
});

t.test('printing needs no rights and runs nothing', async t => {
  const said = await init(t, ['--print', '--backend', 'iptables'], { mayAdminister: false });
  t.match(said, {
    stdout: /^# iptables-restore --noflush\n\*nat\n.*# ip6tables-restore --noflush\n/s,
    stderr: '',
    ran: [],
  });
  t.match(await init(t, ['--print'], { mayAdminister: false }), { stdout: /^table inet outrider/, ran: [] });
});

t.test('without the right to it, it says what is missing', async t => {
  for (const flags of [[], ['--cleanup']])
    t.match(await init(t, flags, { mayAdminister: false }), {
      stdout: '',
      stderr: 'error: this needs the capability NET_ADMIN: run it as root, or add the capability to the container\n',
      code: 1,
      ran: [],
    });
});

t.test('what fails is one line each, and exit code 1', async t => {
  t.match(await init(t, [], { run: async () => undefined }), {
    stdout: '',
    stderr:
      'error: nft is not installed; it comes with the package nftables\nerror: iptables-restore is not installed; it comes with the package iptables\n',
    code: 1,
  });
  const { stderr } = await init(t, ['--backend', 'iptables']);
  t.equal(
    stderr,
    'error: iptables-restore is not installed; it comes with the package iptables\n',
    'and no other is tried',
  );
});

t.test('wrong usage is exit code 2, and each flag has its line', async t => {
  t.match(await init(t, ['--inbound-ports', '22', '--exclude-cidrs', 'x'], { mayAdminister: false }), {
    stdout: '',
    stderr: 'outrider init: --exclude-cidrs is "x", but must be addresses or networks such as 10.0.0.0/8,fd00::/8\n',
    code: 2,
    ran: [],
  });
});

t.test('to print and to clean up are two things', async t => {
  const program = new Command('outrider').exitOverride().configureOutput({ writeErr: () => {} });
  registerInit(program);
  await t.rejects(program.parseAsync(['init', '--print', '--cleanup'], { from: 'user' }), {
    code: 'commander.conflictingOption',
  });
  await t.rejects(program.parseAsync(['init', '--backend', 'ipfw'], { from: 'user' }), { message: /nft, iptables/ });
});
