/**
 * Flask, Express, Go's net/http and Java's HTTP server answer one table of awkward requests straight and through the mesh: the answers are equal byte for
 * byte, but for the date, the fields of a single connection (RFC 9110 §7.6.1) and the reason phrase, which HTTP/2 between the sidecars does not have.
 */
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { request } from 'undici';
import { patternBytes } from '../support/http-app.ts';
import { startPair } from '../support/pair.ts';
import { freePorts } from '../support/ports.ts';
import { total } from '../support/prometheus-text.ts';
import { RawConnection } from '../support/raw-http1.ts';
import { readAnswers, type WireAnswer } from '../support/read-answers.ts';
import { CASES, EXPECTING, get } from '../support/rest-cases.ts';
import { REST_SERVERS } from '../support/rest-servers.ts';
import { connects } from '../support/tcp.ts';
import { waitFor } from '../support/wait-for.ts';

t.setTimeout(300_000);

/** Sends each request when the answer to the one before is there; a body that waits for 100 Continue does. */
const converse = async (port: number, requests: readonly string[]): Promise<readonly WireAnswer[]> => {
  await using connection = new RawConnection(port);
  connection.socket.setMaxListeners(0);
  const methods: string[] = [];
  let answers: readonly WireAnswer[] = [];
  for (const each of requests) {
    methods.push(each.slice(0, each.indexOf(' ')));
    const bodyAt = each.indexOf('\r\n\r\n') + 4;
    if (each.includes(EXPECTING)) {
      connection.write(each.slice(0, bodyAt));
      await connection.until(received => received.includes('\r\n\r\n'));
      connection.write(each.slice(bodyAt));
    } else connection.write(each);
    const complete = () => readAnswers(connection.received, methods, connection.closed);
    await connection.until(() => complete() !== undefined, 20_000);
    answers = complete() ?? answers;
  }
  return answers;
};

/** Of one connection alone. */
const NOT_COMPARED = /^(connection|keep-alive):/i;

/** A body that ends with its connection comes in chunks from the mesh, whose connection goes on. */
const chunksForClose = (answer: WireAnswer): WireAnswer =>
  answer.framing === 'close'
    ? { ...answer, framing: 'chunked', fields: [...answer.fields, 'transfer-encoding: chunked'] }
    : answer;

const comparable = (answers: readonly WireAnswer[]) =>
  answers.map(chunksForClose).map(answer => ({
    ...answer,
    // Java's server sends a Content-Length with it, which no 1xx may have (RFC 9110 §8.6).
    interim: answer.interim.map(head => head.replace(/\r\ncontent-length: 0$/i, '')),
    statusLine: answer.statusLine.replace(/(?<= \d{3} ).*/, ''),
    fields: answer.fields
      .filter(field => !NOT_COMPARED.test(field))
      .map(field => field.replace(/^(date): .*/i, '$1: now')),
  }));

const asText = (answer: WireAnswer | undefined): string =>
  answer === undefined ? '' : [answer.statusLine, ...answer.fields, '', answer.body].join('\n');

for (const server of REST_SERVERS) {
  t.test(server.name, { skip: server.skip }, async t => {
    const directory = t.testdir({ 'file.bin': '' });
    const file = join(directory, 'file.bin');
    writeFileSync(file, patternBytes(1_000));
    utimesSync(file, 1_700_000_000, 1_700_000_000);
    const [appPort = 0] = await freePorts(1);
    await using app = await server.start(appPort, file, directory);
    await waitFor(`${server.name}\n${app.output()}`, () => connects(appPort), 30_000);
    await using pair = await startPair({ services: [{ name: 'shop', port: 80, protocol: 'http', appPort }] });
    const port = pair.upstream('shop');

    for (const { name, requests, expected } of CASES)
      await t.test(name, async t => {
        const [straight, mesh] = [await converse(appPort, requests), await converse(port, requests)];
        t.equal(straight.length, requests.length, 'all answered by the server itself');
        if (expected !== undefined) t.match(asText(straight.at(-1)), expected);
        t.same(comparable(mesh), comparable(straight));
      });

    const release = async (): Promise<void> => {
      const answer = await request(`http://127.0.0.1:${appPort}/release`, { method: 'POST' });
      await answer.body.dump();
    };

    await t.test('server-sent events arrive one by one, each before the next is made', async (t: Test) => {
      const listen = async (at: number): Promise<readonly WireAnswer[] | undefined> => {
        await using connection = new RawConnection(at);
        connection.write(get('/events', 'Accept: text/event-stream'));
        for (let i = 0; i < 4; i++) {
          if (i > 0) await release();
          const received = await connection.until(text => text.includes(`data: ${i}\n\n`), 20_000);
          t.match(received, `data: ${i}\n\n`);
          t.notMatch(received, `data: ${i + 1}\n\n`);
        }
        await connection.until(received => readAnswers(received, ['GET'], connection.closed) !== undefined);
        return readAnswers(connection.received, ['GET'], connection.closed);
      };
      const straight = (await listen(appPort)) ?? [];
      t.equal(straight.length, 1);
      t.same(comparable((await listen(port)) ?? []), comparable(straight));
    });

    await t.test('a long poll is answered when there is news, and not before', async t => {
      const poll = async (at: number): Promise<readonly WireAnswer[]> => {
        await using connection = new RawConnection(at);
        connection.write(get('/poll'));
        await converse(at, [get('/inspect')]);
        t.equal(connection.received, '', 'another request is answered meanwhile');
        await release();
        await connection.until(received => received.endsWith('news'));
        return readAnswers(connection.received, ['GET'], connection.closed) ?? [];
      };
      const straight = await poll(appPort);
      t.match(asText(straight[0]), /\nnews$/);
      t.same(comparable(await poll(port)), comparable(straight));
    });

    if (pair.kind !== 'sidecars') return;
    const samples = await pair.a.samples();
    const sent = CASES.reduce((sum, { requests }) => sum + requests.length, 0);
    t.ok(total(samples, 'outrider_requests_total', { reporter: 'source' }) >= sent, 'the mesh carried all of them');
  });
}
