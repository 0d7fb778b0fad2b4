import t from 'tap';
import { Failure } from '../../../../cli/failure.ts';
import { cleanUp, install } from '../../../../cli/init/install.ts';
import { iptablesBackend } from '../../../../cli/init/iptables-backend.ts';
import { hasNetAdmin, type Machine, thisMachine } from '../../../../cli/init/machine.ts';
import { nftBackend } from '../../../../cli/init/nft-backend.ts';
import { rulesOf } from './options.fixture.ts';

/** By program: what it says, or that it fails; a program that is not here is not installed. */
type Answers = Readonly<Record<string, string | Error>>;

/** Remembers what was fed to which program. */
const machine = (answers: Answers) => {
  const fed: string[] = [];
  const run: Machine['run'] = async (program, _, input) => {
    const answer = answers[program];
    if (answer === undefined) return undefined;
    if (input !== undefined && typeof answer === 'string') fed.push(program);
    return typeof answer === 'string'
      ? { code: 0, stdout: answer, stderr: '' }
      : { code: 1, stdout: '', stderr: answer.message };
  };
  const both = [
    nftBackend({ hasIPv6: true, mayAdminister: true, run }),
    iptablesBackend({ hasIPv6: true, mayAdminister: true, run }),
  ] as const;
  return { fed, both };
};

const NFT = { nft: '' };
const IPV4 = { 'iptables-save': '', 'iptables-restore': '' };
const IPV6 = { 'ip6tables-save': '', 'ip6tables-restore': '' };
const REFUSED = new Error('Error: Could not process rule:\n  Operation not supported');

const problem = async (promise: Promise<unknown>): Promise<readonly string[]> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof Failure ? error.lines : [];
};

t.test('nft where it works', async t => {
  const { fed, both } = machine({ ...NFT, ...IPV4, ...IPV6 });
  t.same(await install(both, both, rulesOf(), true), { name: 'nft', notes: [] });
  t.same(fed, ['nft']);
});

t.test('else iptables, and why', async t => {
  const without = machine({ ...IPV4, ...IPV6 });
  t.same(await install(without.both, without.both, rulesOf(), true), {
    name: 'iptables',
    notes: ['nft is not installed; it comes with the package nftables'],
  });
  t.same(without.fed, ['iptables-restore', 'ip6tables-restore']);
  const old = machine({ nft: REFUSED, ...IPV4, ...IPV6 });
  t.match(await install(old.both, old.both, rulesOf(), true), {
    name: 'iptables',
    notes: [/^nft failed: Error: Could not process rule: Operation not supported\. The kernel needs nat and redirect/],
  });
});

t.test('where neither works, each says why', async t => {
  const { both, fed } = machine({ nft: REFUSED });
  t.match(await problem(install(both, both, rulesOf(), true)), [
    /^nft failed: /,
    'iptables-restore is not installed; it comes with the package iptables',
  ]);
  t.same(fed, []);
});

t.test('with IPv6 in the machine, IPv4 alone is a failure; without it, it is enough', async t => {
  const saved = '*nat\n:OUTRIDER_INBOUND - [0:0]\nCOMMIT\n';
  const half = machine({ ...IPV4, 'iptables-save': saved });
  const [, iptables] = half.both;
  t.match(await problem(install([iptables], [], rulesOf(), true)), [/^ip6tables-restore is not installed/]);
  t.same(half.fed, ['iptables-restore', 'iptables-restore'], 'the second one takes the first back');
  t.same(await install([iptables], [], rulesOf(), false), { name: 'iptables', notes: [] });
});

t.test('the rules of another backend do not stay', async t => {
  const { both, fed } = machine({ nft: 'table inet outrider\n', ...IPV4, ...IPV6 });
  await install([both[1]], both, rulesOf(), true);
  t.same(fed, ['iptables-restore', 'ip6tables-restore', 'nft']);
});

t.test('a cleanup says whether there was something', async t => {
  t.equal(await cleanUp(machine({ ...NFT, ...IPV4 }).both), false);
  t.equal(await cleanUp(machine({ nft: 'table ip outrider\n' }).both), true);
  t.equal(
    await cleanUp(machine({ ...NFT, ...IPV4, 'iptables-save': '*nat\n:OUTRIDER_INBOUND - [0:0]\nCOMMIT\n' }).both),
    true,
  );
});

t.test('and does not say so where nobody can tell', async t => {
  t.same(await problem(cleanUp(machine({}).both)), [
    'nft and iptables: not installed, so nobody can tell what is there',
  ]);
  const { both, fed } = machine({
    nft: REFUSED,
    ...IPV4,
    'iptables-save': '*nat\n:OUTRIDER_INBOUND - [0:0]\nCOMMIT\n',
  });
  t.match(await problem(cleanUp(both)), [/^nft failed/]);
  t.same(fed, ['iptables-restore'], 'after the others are gone');
});

t.test('a program that says nothing has an exit code', async t => {
  const { both } = machine({ nft: new Error('') });
  t.match(await problem(cleanUp([both[0]])), [/^nft failed: exit code 1\./]);
});

t.test('the capability is read from the kernel', async t => {
  t.ok(hasNetAdmin('Name:\tnode\nCapEff:\t000001ffffffffff\n'), 'root');
  t.ok(hasNetAdmin('CapEff:\t0000000000001000\n'), 'it alone');
  t.notOk(hasNetAdmin('CapEff:\t000001ffffffefff\n'), 'all the others');
  t.notOk(hasNetAdmin('CapEff:\t0000000000000000\n'), 'nobody');
  t.notOk(hasNetAdmin(''), 'no Linux');
});

t.test('a program gets its input, says what it said, or is not there', async t => {
  const { run } = thisMachine();
  t.same(await run('cat', [], 'rules'), { code: 0, stdout: 'rules', stderr: '' });
  t.match(await run('sh', ['-c', 'echo no >&2; exit 3'], 'x'.repeat(1_000_000)), { code: 3, stderr: 'no\n' });
  t.equal(await run('no-such-program', []), undefined);
});
