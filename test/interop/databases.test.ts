/**
 * `psql`, `mysql`, `redis-cli` and a NATS client, none of them changed, with their real servers, each behind a sidecar of its own: every script is run
 * straight to the server and through the mesh, and says the same. What the client calls is the port of an upstream.
 */
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import {
  MARIADB_USER,
  mariadb,
  missingPostgres,
  nats,
  postgres,
  redis,
  SUPERUSER,
} from '../support/database-servers.ts';
import { FOREIGN_PACKAGES, missingPackages } from '../support/foreign-packages.ts';
import { missing } from '../support/foreign-tools.ts';
import { greetedMs, greetingTimes } from '../support/greeting-times.ts';
import { createSvid, createTestMesh } from '../support/peer-certificates.ts';
import { type Finished, RunningProcess, runToEnd } from '../support/processes.ts';
import { total } from '../support/prometheus-text.ts';
import { UpstreamMesh } from '../support/upstream-mesh.ts';
import { waitFor } from '../support/wait-for.ts';

const NATS_CLIENT = fileURLToPath(new URL('../fixtures/nats_client.mjs', import.meta.url));
const skip =
  missing('psql', 'mysql', 'mariadbd', 'redis-cli', 'redis-server', 'nats-server') ||
  missingPostgres() ||
  missingPackages('@nats-io/transport-node');

/** The most that the mesh may add until a server that speaks first is heard; on a quiet machine it is one or two. */
const MAX_ADDED_MS = 10;
/** Connections for one median, and how often it is measured again while the machine is busy with other things. */
const CONNECTS = 40;
const ROUNDS = 5;

t.setTimeout(180_000);

const names = ['postgres', 'mariadb', 'redis', 'nats'] as const;

t.test('databases and messages', { skip }, async t => {
  const svid = createSvid(createTestMesh().root, 'postgres');
  await using mesh = await UpstreamMesh.start([
    { name: 'postgres', protocol: 'tcp', prepare: (directory, port) => postgres(directory, port, svid) },
    { name: 'mariadb', protocol: 'tcp', prepare: mariadb },
    { name: 'redis', protocol: 'tcp', prepare: redis },
    { name: 'nats', protocol: 'tcp', prepare: (_, port) => nats(port) },
  ]);
  const same = (
    name: string,
    of: Test,
    service: (typeof names)[number],
    expected: RegExp,
    client: (port: number) => Promise<Finished>,
  ) => of.test(name, t => mesh.same(t, service, expected, client));

  await t.test('psql', async t => {
    const words = (port: number, ...more: string[]): string[] => [
      ...['-X', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', String(port), '-U', SUPERUSER, '-d', 'postgres'],
      ...more,
    ];
    const psql =
      (script: string, PGSSLMODE = 'disable') =>
      (port: number) =>
        runToEnd('psql', words(port, ...script.split('\n').flatMap(line => ['-c', line])), { env: { PGSSLMODE } });
    const answers = async () => (await psql('SELECT 1')(mesh.mesh('postgres'))).code === 0;
    await waitFor('PostgreSQL', answers, 30_000);

    await same(
      'tables, transactions, errors',
      t,
      'postgres',
      /^exit 1\n.*\(2 rows\).*ROLLBACK.*ERROR: {2}division by zero\n$/s,
      psql(`SET client_min_messages = warning
DROP TABLE IF EXISTS cups
CREATE TABLE cups (id serial PRIMARY KEY, name text, price numeric(6,2), made timestamptz DEFAULT 'epoch')
INSERT INTO cups (name, price) VALUES ('kleine Täßchen', 3.5), ('', NULL)
SELECT * FROM cups
BEGIN; DELETE FROM cups; ROLLBACK
SELECT count(*) FROM cups
SELECT 1/0`),
    );
    const large = 'SELECT i, repeat(md5(i::text), 50) FROM generate_series(1, 3000) i';
    await same('megabytes in one answer', t, 'postgres', /^exit 0\n.*\(3000 rows\)/s, psql(large));
    await same(
      'COPY from the client and to it',
      t,
      'postgres',
      /^exit 0\n.*COPY 100000\n.*5000050000.*\n4\n$/s,
      port => {
        const script = [
          'CREATE TEMP TABLE numbers (n int)',
          'COPY numbers FROM STDIN',
          'SELECT sum(n) FROM numbers',
          'COPY (SELECT n FROM numbers WHERE n < 5) TO STDOUT',
        ];
        const shell = 'seq 1 100000 | psql "$@"';
        return runToEnd('sh', ['-c', shell, 'sh', ...words(port, ...script.flatMap(line => ['-c', line]))]);
      },
    );
    const secure = 'SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
    await same('TLS of its own, inside', t, 'postgres', /TLSv1\.3/, psql(secure, 'require'));
    const notified = /Asynchronous notification "orders" with payload "42" received/;
    await same('notifications come unasked', t, 'postgres', notified, async port => {
      const { stdout, ...rest } = await psql("LISTEN orders\nNOTIFY orders, '42'")(port);
      return { ...rest, stdout: stdout.replace(/PID \d+/, 'PID') };
    });
    const cancelled = /ERROR: {2}canceling statement due to user request/;
    await same('Ctrl-C cancels a query, over a connection of its own', t, 'postgres', cancelled, async port => {
      await using child = new RunningProcess('psql', words(port, '-c', 'SELECT pg_sleep(30)'));
      const look = psql(
        "SELECT 'sleeps' FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active'",
      );
      await waitFor('the query', async () => (await look(mesh.direct('postgres'))).stdout.includes('sleeps'));
      child.signal('SIGINT');
      return { ...(await child.exited), stdout: child.stdout, stderr: child.stderr };
    });
    await same(
      'a connection that the server ends',
      t,
      'postgres',
      /^exit 2\n.*due to administrator command.*server closed the connection unexpectedly/s,
      psql('SELECT pg_terminate_backend(pg_backend_pid())'),
    );
    const nowhere = (port: number) => runToEnd('psql', words(port, '-d', 'nowhere', '-c', 'SELECT 1'));
    await same('an unknown database', t, 'postgres', /^exit 2\n.*"nowhere" does not exist/s, nowhere);
  });

  await t.test('mysql', async t => {
    const mysql =
      (script: string, password = MARIADB_USER.password) =>
      (port: number) => {
        const where = ['--protocol=tcp', '-h', '127.0.0.1', '-P', String(port), '-u', MARIADB_USER.name];
        const words = ['--no-defaults', ...where, '-t', '-e', script.replaceAll('\n', ' '), 'shop'];
        return runToEnd('mysql', words, { env: { MYSQL_PWD: password } });
      };
    await waitFor('MariaDB', async () => (await mysql('SELECT 1')(mesh.mesh('mariadb'))).code === 0, 30_000);

    await same(
      'tables, transactions, errors',
      t,
      'mariadb',
      /^exit 1\n.*Täßchen.*ERROR 1062 \(23000\) at line 1: Duplicate entry '1' for key 'PRIMARY'\n$/s,
      mysql(`SET NAMES utf8mb4; CREATE OR REPLACE TABLE cups (id int PRIMARY KEY, name text) ENGINE=InnoDB CHARSET=utf8mb4;
INSERT INTO cups VALUES (1, 'Täßchen'), (2, NULL); START TRANSACTION; DELETE FROM cups; ROLLBACK; SELECT * FROM cups;
INSERT INTO cups VALUES (1, 'again')`),
    );
    const large = 'SELECT seq, REPEAT(MD5(seq), 50) FROM seq_1_to_3000';
    await same('megabytes in one answer', t, 'mariadb', /^exit 0\n.* 3000 /s, mysql(large));
    const denied = /^exit 1\n.*ERROR 1045 \(28000\): Access denied for user/s;
    await same('a wrong password', t, 'mariadb', denied, mysql('SELECT 1', 'wrong'));
    const killed = /ERROR 1927 \(70100\) at line 1: Connection was killed/;
    await same('a connection that the server ends', t, 'mariadb', killed, mysql('KILL CONNECTION_ID()'));
  });

  await t.test('redis-cli', async t => {
    const words = (port: number, ...more: string[]): string[] => ['-h', '127.0.0.1', '-p', String(port), ...more];
    const cli = (line: string) => (port: number) =>
      runToEnd('sh', ['-c', line.replaceAll('redis-cli', `redis-cli ${words(port).join(' ')}`)]);
    await waitFor('Redis', async () => (await cli('redis-cli PING')(mesh.mesh('redis'))).stdout === 'PONG\n', 30_000);

    const commands = ['SET cup Täßchen', 'GET cup', 'RPUSH list a b c', 'LRANGE list 0 -1', 'DEL list', 'LPUSH cup x'];
    const transaction = ['MULTI', 'SET n 1', 'INCR n', 'EXEC'];
    await same(
      'values, lists, errors, transactions',
      t,
      'redis',
      /^exit 0\nOK\nTäßchen\n.*WRONGTYPE.*QUEUED\nQUEUED\n/s,
      cli(`printf '%s\\n' ${[...commands, ...transaction].map(each => `'${each}'`).join(' ')} | redis-cli`),
    );
    const piped = `seq 1 20000 | sed 's/.*/SET key:& &/' | redis-cli --pipe`;
    await same('20,000 pipelined commands', t, 'redis', /errors: 0, replies: 20000/, cli(piped));
    const large = `head -c 5000000 /dev/zero | tr '\\0' m | redis-cli -x SET large; redis-cli --raw GET large | sha1sum`;
    await same('5 MB there and back', t, 'redis', /^exit 0\nOK\n[0-9a-f]{40} /, cli(large));
    await same('what is published comes to who subscribed', t, 'redis', /message\nnews\nhello/, async port => {
      await using subscriber = new RunningProcess('redis-cli', words(port, 'SUBSCRIBE', 'news'));
      await waitFor('the subscription', () => subscriber.stdout.includes('subscribe'));
      await cli('redis-cli PUBLISH news hello')(port);
      await waitFor('the message', () => subscriber.stdout.includes('hello'));
      return { code: 0, signal: null, stdout: subscriber.stdout, stderr: '' };
    });
    await same('a blocking command waits for another connection', t, 'redis', /^exit 0\nqueue\njob\n/, async port => {
      const waiting = runToEnd('redis-cli', words(port, 'BLPOP', 'queue', '20'));
      const blocked = async () => (await cli('redis-cli INFO clients')(port)).stdout.includes('blocked_clients:1');
      await waitFor('the waiting one', blocked);
      await cli('redis-cli RPUSH queue job')(port);
      return waiting;
    });
    // Where the PING comes when Redis has closed already, the connection is reset.
    const oneWord = "2>&1 | sed 's/Connection reset by peer/Server closed the connection/'";
    const killed = `printf 'CLIENT KILL TYPE normal SKIPME no\\nPING\\n' | redis-cli ${oneWord}`;
    await same(
      'a connection that the server ends',
      t,
      'redis',
      /^exit 0\n1\nError: Server closed the connection\n/,
      cli(killed),
    );
  });

  await t.test('a NATS client', async t => {
    const client = (port: number) => runToEnd(process.execPath, [NATS_CLIENT, FOREIGN_PACKAGES, String(port)]);
    await waitFor('NATS', () => greetedMs(mesh.mesh('nats')).then(() => true), 30_000);
    const expected = /orders\.paid "ü"\n.*answer of 1000000 bytes, true\n1000 pieces of work done\n.*done\n$/s;
    await mesh.same(t, 'nats', expected, client);
  });

  for (const name of ['mariadb', 'nats'] as const)
    await t.test(`${name} speaks first, and is heard hardly later`, async t => {
      let bestMs = Number.POSITIVE_INFINITY;
      for (let round = 0; round < ROUNDS && bestMs >= MAX_ADDED_MS; round++) {
        const { directMs, meshMs } = await greetingTimes(mesh.direct(name), mesh.mesh(name), CONNECTS);
        t.comment(`${name}: ${directMs.toFixed(2)} ms straight, ${meshMs.toFixed(2)} ms through the mesh`);
        bestMs = Math.min(bestMs, meshMs - directMs);
      }
      t.ok(bestMs < MAX_ADDED_MS, `less than ${MAX_ADDED_MS} ms more than straight to the server`);
    });

  await t.test('both sidecars counted the same connections and bytes', async t => {
    const counted = async (unit: 'caller' | (typeof names)[number], destination_service: string) => {
      const samples = await mesh.unit(unit).samples();
      const of = (what: string): number => total(samples, `outrider_tcp_${what}_total`, { destination_service });
      return {
        opened: of('connections_opened'),
        closed: of('connections_closed'),
        sent: of('sent_bytes'),
        received: of('received_bytes'),
      };
    };
    for (const name of names) {
      const ended = async () => {
        const [source, destination] = [await counted('caller', name), await counted(name, name)];
        return source.opened === source.closed && destination.opened === destination.closed;
      };
      await waitFor('all to be closed', ended).catch(() => undefined);
      const source = await counted('caller', name);
      t.ok(source.opened > 0 && source.sent > 0 && source.received > 0, JSON.stringify(source));
      t.same(await counted(name, name), source, name);
    }
  });
});
