/** HTTP/1.1 answers as they stand on the wire, taken apart but not interpreted: to compare what came back with what came back another way. */

export interface WireAnswer {
  /** Heads of 1xx answers before it, whole. */
  readonly interim: readonly string[];
  readonly statusLine: string;
  /** In order, as spelt: `name: value`. */
  readonly fields: readonly string[];
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  /** latin1, without the framing. */
  readonly body: string;
  /** Trailers, as they stand. */
  readonly trailers: string;
}

interface Read {
  readonly answer: WireAnswer;
  readonly rest: string;
}

const HEAD_END = '\r\n\r\n';

/** The answers to requests with these methods; undefined while the last is not complete. `closed`: no more will come. */
export const readAnswers = (
  received: string,
  methods: readonly string[],
  closed: boolean,
): readonly WireAnswer[] | undefined => {
  const answers: WireAnswer[] = [];
  let rest = received;
  for (const method of methods) {
    const read = readAnswer(rest, method, closed);
    if (read === undefined) return undefined;
    answers.push(read.answer);
    rest = read.rest;
  }
  return answers;
};

const readAnswer = (received: string, method: string, closed: boolean): Read | undefined => {
  const interim: string[] = [];
  let rest = received;
  for (;;) {
    const end = rest.indexOf(HEAD_END);
    if (end < 0) return undefined;
    const head = rest.slice(0, end);
    rest = rest.slice(end + HEAD_END.length);
    if (/^HTTP\/1\.1 1\d\d /.test(head)) {
      interim.push(head);
      continue;
    }
    const [statusLine = '', ...fields] = head.split('\r\n');
    const body = readBody(rest, statusLine, fields, method, closed);
    return body && { answer: { interim, statusLine, fields, ...body.part }, rest: body.rest };
  }
};

type Body = Pick<WireAnswer, 'framing' | 'body' | 'trailers'>;

const readBody = (
  bytes: string,
  statusLine: string,
  fields: readonly string[],
  method: string,
  closed: boolean,
): { readonly part: Body; readonly rest: string } | undefined => {
  const whole = (framing: Body['framing'], length: number) => ({
    part: { framing, body: bytes.slice(0, length), trailers: '' },
    rest: bytes.slice(length),
  });
  if (method === 'HEAD' || / (204|304) /.test(`${statusLine} `)) return whole('none', 0);
  if (fields.some(field => /^transfer-encoding: *chunked$/i.test(field))) return readChunks(bytes);
  const length = fields.map(field => /^content-length: *(\d+)$/i.exec(field)?.[1]).find(Boolean);
  if (length !== undefined) return bytes.length < Number(length) ? undefined : whole('length', Number(length));
  return closed ? whole('close', bytes.length) : undefined;
};

const readChunks = (bytes: string): { readonly part: Body; readonly rest: string } | undefined => {
  let at = 0;
  let body = '';
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.slice(at, lineEnd), 16);
    const from = lineEnd + 2;
    if (size === 0) {
      const end = bytes.startsWith('\r\n', from) ? from : bytes.indexOf(HEAD_END, from) + 2;
      if (end < from || bytes.length < end + 2) return undefined;
      const trailers = bytes.slice(from, end);
      return { part: { framing: 'chunked', body, trailers }, rest: bytes.slice(end + 2) };
    }
    if (bytes.length < from + size + 2) return undefined;
    body += bytes.slice(from, from + size);
    at = from + size + 2;
  }
};
