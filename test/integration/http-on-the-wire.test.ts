/** HTTP/1.1 across the mesh to the letter: the exact bytes that reach an app and that come back to its client. RFC 9110 §7, RFC 9112. */
import t, { type Test } from 'tap';
import { startStage } from '../e2e/attacks/stage.ts';
import { RawConnection } from '../support/raw-http1.ts';

const { app, pair } = await startStage();

/** Sends the request, and gives what reached the app, without what the mesh adds. */
const forwarded = async (request: string, whole = (text: string) => text.endsWith('ok')): Promise<string> => {
  app.received = '';
  await using connection = new RawConnection(pair.outbound);
  connection.write(request);
  await connection.until(whole);
  return app.received.replace(
    /^(?:traceparent|tracestate|x-request-id|x-forwarded-client-cert|x-outrider-peer): .*\r\n/gim,
    '',
  );
};
const same = async (t: Test, name: string, request: string, expected = request): Promise<void> => {
  t.equal(await forwarded(request), expected, name);
};

t.test('what reaches the app', async t => {
  await same(
    t,
    'case and order',
    'GET /a?b=%2f&c=%C3 HTTP/1.1\r\nX-z: 1\r\nHost: app\r\nACCEPT: *\r\nx-A: 2\r\nX-z: 3\r\n\r\n',
  );
  await same(t, 'no framing for an empty body', 'POST / HTTP/1.1\r\nHost: app\r\n\r\n');
  await same(t, 'content-length: 0 is kept', 'POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 0\r\n\r\n');
  await same(t, 'a length stays a length', 'PUT / HTTP/1.1\r\nHost: app\r\nContent-length: 3\r\n\r\nabc');
  await same(
    t,
    'chunks stay chunks, and trailers trailers',
    'POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  );
  await same(t, 'TE for trailers', 'GET / HTTP/1.1\r\nHost: app\r\nTE: trailers\r\nConnection: TE\r\n\r\n');
  await same(
    t,
    'hop-by-hop fields, and those that Connection names',
    'GET / HTTP/1.1\r\nHost: app\r\nConnection: X-Hop, keep-alive\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nX-Hop: 1\r\nTE: gzip\r\nX-End: 2\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: app\r\nX-End: 2\r\n\r\n',
  );
  await same(
    t,
    'absolute-form becomes origin-form with its Host',
    'GET http://app/x HTTP/1.1\r\nHost: other\r\n\r\n',
    'GET /x HTTP/1.1\r\nHost: app\r\n\r\n',
  );
  await same(
    t,
    'an Upgrade to HTTP/2 is ignored',
    'GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: app\r\n\r\n',
  );
  await same(t, 'asterisk-form', 'OPTIONS * HTTP/1.1\r\nHost: app\r\n\r\n');
  await same(t, 'a method of its own', 'M-SEARCH / HTTP/1.1\r\nHost: app\r\n\r\n');
  t.match(
    await forwarded('GET / HTTP/1.0\r\nHost: app\r\n\r\n'),
    /^GET \/ HTTP\/1\.1\r\nHost: app\r\n/,
    'HTTP/1.0 goes on as HTTP/1.1',
  );
});

t.test('what comes back', async t => {
  const withoutId = (text: string): string => text.replace(/^x-request-id: .*\r\n/gim, '');
  const back = async (request: string, answer: string): Promise<string> => {
    app.answers.set('/', answer);
    await using connection = new RawConnection(pair.outbound);
    connection.write(request);
    return withoutId(await connection.until(text => withoutId(text).length >= answer.length));
  };
  const GET = 'GET / HTTP/1.1\r\nHost: app\r\n\r\n';
  for (const answer of [
    'HTTP/1.1 200 OK\r\nX-b: 1\r\nContent-Length: 2\r\nset-cookie: a\r\nSET-cookie: b\r\n\r\nok',
    'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n',
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "x"\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n',
  ])
    t.equal(await back(GET, answer), answer);
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n';
  t.equal(await back(GET.replace('GET', 'HEAD'), head), head, 'a HEAD has its length and no body');
});
