/**
 * Servers from Debian that know nothing of a mesh: PostgreSQL, MariaDB, Redis and NATS. Never a system service: each has a data folder of its own below
 * the test's, its port on 127.0.0.1, and ends with the process that started it.
 */
import { strict as assert } from 'node:assert';
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runToEnd } from './processes.ts';

/** The command of a server whose data folder is made. */
export type Command = readonly [program: string, ...args: string[]];

const DEBIAN_POSTGRES = '/usr/lib/postgresql';

/** Where Debian puts the newest PostgreSQL's programs; undefined: it is not installed. */
const postgresDirectory = (): string | undefined => {
  try {
    const [newest] = readdirSync(DEBIAN_POSTGRES).sort((a, b) => Number(b) - Number(a));
    return newest && join(DEBIAN_POSTGRES, newest, 'bin');
  } catch {
    return undefined;
  }
};

/** For tap's `skip`, as `missing` says it: PostgreSQL's server is in no folder of PATH. */
export const missingPostgres = (): string | false =>
  postgresDirectory() === undefined && 'needs postgresql; .ci/run installs what it needs';

const run = async ([program, ...args]: Command): Promise<void> => {
  const done = await runToEnd(program, args);
  assert.equal(done.code, 0, `${program}: ${done.stderr}${done.stdout}`);
};

const isRoot = process.getuid?.() === 0;

export const SUPERUSER = 'mesh';

/** PostgreSQL refuses to run as root: then it is Debian's user `postgres`. `tls`: it also takes TLS of its own. */
export const postgres = async (
  directory: string,
  port: number,
  tls: { readonly certificatePem: string; readonly keyPem: string },
): Promise<Command> => {
  const programs = postgresDirectory() ?? '';
  const data = join(directory, 'data');
  mkdirSync(directory);
  const as: readonly string[] = isRoot ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : [];
  if (isRoot) chownSync(directory, statSync('/var/lib/postgresql').uid, statSync('/var/lib/postgresql').gid);
  const command = (program: string, ...args: string[]): Command => {
    const [first = '', ...rest] = [...as, join(programs, program), ...args];
    return [first, ...rest];
  };
  await run(command('initdb', '-D', data, '-U', SUPERUSER, '-A', 'trust', '--no-sync', '--no-instructions'));
  for (const [name, text] of [
    ['server.crt', tls.certificatePem],
    ['server.key', tls.keyPem],
  ] as const) {
    writeFileSync(join(data, name), text);
    chmodSync(join(data, name), 0o600);
    if (isRoot) chownSync(join(data, name), statSync(data).uid, statSync(data).gid);
  }
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off', 'ssl=on'];
  return command('postgres', '-D', data, ...settings.flatMap(setting => ['-c', setting]));
};

/** Its password is checked over TCP, so that the whole handshake of the protocol runs. */
export const MARIADB_USER = { name: 'shop', password: 'open sesame' };

export const mariadb = async (directory: string, port: number): Promise<Command> => {
  mkdirSync(directory);
  const data = join(directory, 'data');
  const user = isRoot ? ['--user=root'] : [];
  const quick = ['--no-defaults', '--innodb-buffer-pool-size=8M', '--innodb-log-file-size=4M'];
  const install = [
    ...quick,
    ...user,
    `--datadir=${data}`,
    '--skip-test-db',
    '--auth-root-authentication-method=normal',
  ];
  await run(['mariadb-install-db', ...install]);
  const init = join(directory, 'init.sql');
  const account = `'${MARIADB_USER.name}'@'127.0.0.1'`;
  writeFileSync(
    init,
    [
      'CREATE DATABASE IF NOT EXISTS shop;',
      `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY '${MARIADB_USER.password}';`,
      `GRANT ALL ON shop.* TO ${account};`,
    ].join('\n'),
  );
  return [
    '/usr/sbin/mariadbd',
    ...quick,
    ...user,
    `--datadir=${data}`,
    `--socket=${join(directory, 'socket')}`,
    `--pid-file=${join(directory, 'pid')}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    '--skip-name-resolve',
    // The measurements connect often and leave without a word.
    '--max-connect-errors=1000000',
    `--init-file=${init}`,
  ];
};

export const redis = async (directory: string, port: number): Promise<Command> => {
  mkdirSync(directory);
  return ['redis-server', '--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''];
};

export const nats = async (port: number): Promise<Command> => ['nats-server', '-a', '127.0.0.1', '-p', String(port)];
