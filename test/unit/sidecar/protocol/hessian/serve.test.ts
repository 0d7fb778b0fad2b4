import fc from 'fast-check';
import t from 'tap';
import { manualClock } from '../../../../../common/clock.ts';
import { type ProxyError, proxyError } from '../../../../../sidecar/errors/proxy-error.ts';
import { answerTo } from '../../../../../sidecar/errors/respond-to-error.ts';
import {
  type FieldList,
  Fields,
  fieldValue,
  NO_FIELDS,
  RequestHead,
  ResponseHead,
} from '../../../../../sidecar/protocol/head.ts';
import { HessianHeads } from '../../../../../sidecar/protocol/hessian/call-heads.ts';
import { HessianServerCall, mayBeHessian } from '../../../../../sidecar/protocol/hessian/serve.ts';
import type { Downstream } from '../../../../../sidecar/protocol/stream.ts';
import { hessianCall, hessianFault, hessianReply, readReply, type Wire } from '../../../../support/hessian-bytes.ts';

const HESSIAN = ['content-type', 'x-application/hessian'];
const OK = new ResponseHead(200, new Fields(HESSIAN));
const NO_ANSWER = proxyError('NO_HEALTHY_UPSTREAM', 'no_endpoint');

/** One request, the exchange that it becomes, and everything that was said. */
const newCall = (fields: FieldList = HESSIAN, answersFaults = true) => {
  const seen = {
    head: undefined as RequestHead | undefined,
    body: '',
    ended: false,
    trailers: 0,
    resets: [] as ProxyError[],
    refused: undefined as ProxyError | undefined,
    credit: 0,
    responseCredit: 0,
    informational: [] as number[],
    answers: [] as { readonly status: number; readonly fields: FieldList; readonly volatile: FieldList }[],
    answer: Buffer.alloc(0),
    answerEnded: false,
    answerResets: 0,
    held: 0,
  };
  const clock = manualClock();
  let toApp: Downstream | undefined;
  const sink = {
    status: 0,
    requestData: (chunk: Buffer, end: boolean): void => {
      seen.body += chunk.toString('latin1');
      seen.ended ||= end;
    },
    requestTrailers: (): void => {
      seen.trailers++;
    },
    requestReset: (error: ProxyError): void => {
      seen.resets.push(error);
    },
    responseConsumed: (bytes: number): void => {
      seen.responseCredit += bytes;
    },
  };
  const caller: Downstream = {
    sendInformational: ({ status }) => seen.informational.push(status),
    sendHead: ({ status, fields: { list } }, volatile, end) => {
      seen.answers.push({ status, fields: list, volatile });
      seen.answerEnded ||= end;
    },
    sendData: (chunk, end) => {
      seen.answer = Buffer.concat([seen.answer, chunk]);
      seen.answerEnded ||= end;
    },
    sendTrailers: () => {
      seen.answerEnded = true;
    },
    reset: () => {
      seen.answerResets++;
    },
    requestConsumed: bytes => {
      seen.credit += bytes;
    },
  };
  const head = new RequestHead('POST', 'http', 'accounts', '/a', new Fields(fields));
  const call = new HessianServerCall(caller, head, ['x-request-id', 'id-1'], {
    answersFaults,
    heads: new HessianHeads(),
    account: {
      hold: bytes => {
        seen.held += bytes;
      },
      release: bytes => {
        seen.held -= bytes;
      },
      roomToGrow: true,
    },
    clock,
    begin: (downstream, begun) => {
      seen.head = begun;
      toApp = downstream;
      return sink;
    },
    refuse: (downstream, refused, volatile, error) => {
      seen.head = refused;
      seen.refused = error;
      const answer = answerTo(error, { head: refused, volatile, origin: { link: !answersFaults } });
      downstream.sendHead(answer.head, answer.volatile, false);
      downstream.sendData(answer.body, true);
    },
  });
  const open = (wire: Wire = '2/2'): Downstream => {
    call.requestData(hessianCall(wire, 'add', [1]), true);
    return toApp as Downstream;
  };
  return { call, seen, sink, clock, open, head };
};

t.test('the exchange begins when the name of the method is there, and gets the whole body', t => {
  const { call, seen } = newCall();
  const bytes = hessianCall('1/2', 'add', [1, 2]);
  call.requestData(bytes.subarray(0, 7), false);
  t.equal(seen.head, undefined, 'it waits');
  t.equal(seen.held, 7, 'what waits is counted');
  call.requestData(bytes.subarray(7), true);
  t.equal(seen.head?.rpcMethod, 'add');
  t.equal(seen.head?.path, '/a');
  t.equal(seen.body, bytes.toString('latin1'));
  t.ok(seen.ended);
  t.equal(seen.held, 0);
  t.end();
});

t.test('any split of a body gives the same exchange', t => {
  const bytes = hessianCall('1/1', 'transfer', ['x'.repeat(40)], { trace: 'abc' });
  const cuts = fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 12 });
  fc.assert(
    fc.property(cuts, at => {
      const { call, seen } = newCall();
      const ends = [...new Set([...at, bytes.length])].sort((a, b) => a - b);
      let from = 0;
      for (const end of ends) {
        call.requestData(bytes.subarray(from, end), end === bytes.length);
        from = end;
      }
      return seen.head?.rpcMethod === 'transfer' && seen.body === bytes.toString('latin1') && seen.held === 0;
    }),
  );
  t.end();
});

t.test('the same head and method give the same head, as often as there is room', t => {
  const heads = new HessianHeads();
  const head = new RequestHead('POST', 'http', 'a', '/', new Fields(HESSIAN));
  const add = heads.get(head, 'add');
  t.equal(heads.get(head, 'add'), add);
  t.not(heads.get(head, 'get'), add);
  for (let i = 0; i < 1_000; i++) heads.get(head, `m${i}`);
  t.not(heads.get(head, 'add'), add, 'a full table was emptied');
  t.end();
});

t.test('a POST may be a call when its content type says so or its port does', t => {
  const may = (method: string, type: string, declared = false, end = false, protocol = ''): boolean =>
    mayBeHessian(
      new RequestHead(method, 'http', 'a', '/', new Fields(['content-type', type]), protocol),
      end,
      () => declared,
    );
  t.ok(may('POST', 'x-application/hessian'));
  t.ok(may('POST', 'Application/X-Hessian ; q=1'));
  t.ok(may('POST', 'text/plain', true));
  t.notOk(may('POST', 'text/plain'));
  t.notOk(may('POST', 'x-application/hessian2'));
  t.notOk(may('GET', 'x-application/hessian', true));
  t.notOk(may('POST', 'x-application/hessian', true, true), 'without a body');
  t.notOk(may('POST', 'x-application/hessian', true, false, 'websocket'));
  t.end();
});

t.test('a fault counts as a failure although it passes as it is', t => {
  for (const [code, status] of [
    ['ServiceException', 500],
    ['NoSuchMethodException', 404],
  ] as const) {
    const { seen, sink, open } = newCall();
    const answer = open();
    const bytes = hessianFault('2/2', code, 'no');
    answer.sendInformational(new ResponseHead(103, new Fields(NO_FIELDS)));
    answer.sendHead(OK, NO_FIELDS, false);
    for (const byte of bytes) answer.sendData(Buffer.from([byte]), false);
    t.equal(sink.status, status);
    answer.sendTrailers(NO_FIELDS);
    t.same(seen.answer, bytes);
    t.same(
      seen.answers.map(({ status }) => status),
      [200],
    );
    t.same(seen.informational, [103]);
    t.ok(seen.answerEnded);
  }
  t.end();
});

t.test('a reply is no fault, nor is what cannot be read', t => {
  const { sink, seen, open } = newCall();
  const answer = open();
  answer.sendHead(OK, NO_FIELDS, false);
  answer.sendData(hessianReply('2/2', 'F'), true);
  t.equal(sink.status, 0);
  t.match(readReply(seen.answer), { value: 'F' });
  const compressed = newCall();
  const other = compressed.open();
  other.sendHead(new ResponseHead(200, new Fields([...HESSIAN, 'content-encoding', 'gzip'])), NO_FIELDS, false);
  other.sendData(hessianFault('2/2', 'ServiceException', ''), true);
  t.equal(compressed.sink.status, 0, 'a compressed body');
  const reset = newCall();
  const cut = reset.open();
  cut.sendHead(OK, NO_FIELDS, false);
  cut.reset(NO_ANSWER);
  t.equal(reset.seen.answerResets, 1);
  t.end();
});

t.test('what the mesh answers becomes a fault in the version that the caller reads', t => {
  for (const [wire, version] of [
    ['1/1', 'r\x01'],
    ['1/2', 'H\x02'],
    ['2/2', 'H\x02'],
  ] as const) {
    const { seen, open, head } = newCall();
    const answer = open(wire);
    const made = answerTo(NO_ANSWER, { head, volatile: ['x-request-id', 'id-1'], origin: { link: false } });
    answer.sendHead(made.head, made.volatile, false);
    answer.sendData(made.body, true);
    t.equal(seen.answer.toString('latin1', 0, 2), version);
    t.same(readReply(seen.answer), {
      kind: 'fault',
      code: 'ServiceException',
      message: 'The destination has no healthy instance. [flag=UH detail=no_endpoint request_id=id-1]',
    });
    const [said] = seen.answers;
    t.equal(said?.status, 200);
    t.equal(fieldValue(said?.fields ?? [], 'x-outrider-flag'), 'UH');
    t.equal(fieldValue(said?.fields ?? [], 'content-type'), 'x-application/hessian');
    t.same(said?.volatile, [
      'content-length',
      String(seen.answer.length),
      'x-outrider-detail',
      'no_endpoint',
      'x-request-id',
      'id-1',
    ]);
    t.ok(seen.answerEnded);
    t.equal(seen.responseCredit, made.body.length, 'what was taken from a peer is given back');
  }
  t.end();
});

t.test('an answer of the mesh without its end is a fault all the same, and one without a body too', t => {
  const flagged = new ResponseHead(404, new Fields(['x-outrider-flag', 'NR']));
  for (const end of [
    (answer: Downstream) => answer.sendHead(flagged, NO_FIELDS, true),
    (answer: Downstream) => {
      answer.sendHead(flagged, NO_FIELDS, false);
      answer.sendTrailers(NO_FIELDS);
    },
    (answer: Downstream) => {
      answer.sendHead(flagged, NO_FIELDS, false);
      answer.reset(NO_ANSWER);
    },
  ]) {
    const { seen, open } = newCall();
    end(open());
    t.match(readReply(seen.answer), { kind: 'fault', code: 'NoSuchObjectException' });
    t.equal(seen.answers.length, 1);
  }
  t.end();
});

t.test('to a sidecar the answer of the mesh goes as it is', t => {
  const { seen, sink, open, head } = newCall(HESSIAN, false);
  const answer = open();
  const made = answerTo(NO_ANSWER, { head, volatile: NO_FIELDS, origin: { link: true } });
  answer.sendHead(made.head, made.volatile, false);
  answer.sendData(made.body, true);
  t.equal(seen.answers[0]?.status, 503);
  t.same(seen.answer, made.body);
  t.equal(sink.status, 0);
  t.end();
});

t.test('what says that it is Hessian and is none is refused, and the rest of it dropped', t => {
  const { call, seen } = newCall();
  call.requestData(Buffer.from('c\x01\0m\0\0', 'latin1'), false);
  t.match(seen.refused, { code: 'DOWNSTREAM_PROTOCOL', detail: 'hessian_name' });
  t.equal(seen.head?.rpcMethod, '');
  t.equal(seen.answer.toString('latin1', 0, 4), 'r\x01\0f', 'in the version of the caller');
  call.requestData(Buffer.from('more'), true);
  t.equal(seen.credit, 10, 'and the connection is not held up');
  t.equal(seen.held, 0);
  call.requestTrailers(NO_FIELDS);
  call.responseConsumed(1);
  call.requestReset(NO_ANSWER);
  t.same(seen.resets, [], 'nobody is told more');
  const short = newCall();
  short.call.requestData(Buffer.from('H\x02\0C', 'latin1'), false);
  short.call.requestTrailers(NO_FIELDS);
  t.match(short.seen.refused, { detail: 'hessian_truncated' });
  t.end();
});

t.test('without the content type the port alone does not make it a call', t => {
  for (const text of ['{}', 'c', 'c\x01\0m\0\0']) {
    const { call, seen, head } = newCall(NO_FIELDS);
    call.requestData(Buffer.from(text, 'latin1'), true);
    t.equal(seen.head, head, JSON.stringify(text));
    t.equal(seen.body, text);
    t.ok(seen.ended);
  }
  t.end();
});

t.test('a call that does not come is refused after a minute', t => {
  const { seen, clock, call } = newCall();
  call.requestData(Buffer.from('c'), false);
  clock.advance(59_999);
  t.equal(seen.refused, undefined);
  clock.advance(1);
  t.match(seen.refused, { code: 'REQUEST_TIMEOUT', detail: 'hessian_timeout' });
  t.match(readReply(seen.answer), { kind: 'fault', code: 'ServiceException' });
  const open = newCall();
  open.open();
  open.clock.advance(120_000);
  t.equal(open.seen.refused, undefined, 'one that came is not');
  t.end();
});

t.test('a caller that goes away before its method is known leaves nothing behind', t => {
  const { call, seen, clock } = newCall();
  call.requestData(Buffer.from('c'), false);
  call.requestReset(proxyError('DOWNSTREAM_RESET', 'connection_lost'));
  clock.advance(120_000);
  t.equal(seen.refused, undefined);
  t.equal(seen.head, undefined);
  t.equal(seen.held, 0);
  t.end();
});

t.test('a compressed call goes on at once, without a method', t => {
  const { call, seen } = newCall([...HESSIAN, 'content-encoding', 'gzip']);
  t.equal(seen.head?.rpcMethod, '');
  call.requestData(Buffer.from('\x1f\x8b', 'latin1'), false);
  call.requestTrailers(NO_FIELDS);
  t.equal(seen.body, '\x1f\x8b');
  t.equal(seen.trailers, 1);
  call.requestReset(NO_ANSWER);
  t.same(seen.resets, [NO_ANSWER]);
  t.end();
});

t.test('a caller that waits for 100 Continue is told to go on', t => {
  t.same(newCall([...HESSIAN, 'expect', '100-Continue']).seen.informational, [100]);
  t.same(newCall().seen.informational, []);
  const compressed = newCall([...HESSIAN, 'expect', '100-continue', 'content-encoding', 'gzip']);
  t.same(compressed.seen.informational, [], 'by the app, where that has been asked');
  t.end();
});
