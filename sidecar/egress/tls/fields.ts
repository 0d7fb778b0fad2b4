import { type FieldList, Fields, type RequestHead, ResponseHead } from '../../protocol/head.ts';
import { allowedInResponse, FieldSorter } from '../../protocol/http2/sort-fields.ts';
import { isReserved } from '../../protocol/reserved-fields.ts';

/** They belong to one connection (RFC 9110 §7.6.1), or have a place of their own. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'host',
  'te',
  'expect',
]);
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([...NOT_PASSED_ON, 'content-length', 'trailer']);

/** The fields of a request as a server outside gets them: the mesh's own stay here. Expect is dropped, since whoever sends it is answered here. */
export const requestFields = (head: RequestHead, volatile: FieldList): string[] => {
  const fields: string[] = [];
  for (const list of [head.fields.list, volatile])
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i] as string;
      const value = list[i + 1] as string;
      if (name === 'te' ? value === 'trailers' : !NOT_PASSED_ON.has(name) && !isReserved(name))
        fields.push(name, value);
    }
  return fields;
};

/** The client waits for a 100 before it sends the body (RFC 9110 §10.1.1). */
export const expectsContinue = ({ fields: { list } }: RequestHead): boolean => {
  const at = list.indexOf('expect');
  return at >= 0 && at % 2 === 0;
};

/** Trailers, without what does not belong there (RFC 9110 §6.5.1). */
export const trailersOf = (raw: RawFields): FieldList => {
  const kept: string[] = [];
  for (const [name, value] of pairs(raw)) if (!NOT_IN_TRAILERS.has(name) && !isReserved(name)) kept.push(name, value);
  return kept;
};

/** Name, value, name, value, … as the packages give them. */
export type RawFields = readonly (string | Buffer)[];

/** The head of an answer; undefined: it has a field that must not go on. */
export const responseHead = (
  status: number,
  raw: RawFields,
): { head: ResponseHead; volatile: FieldList } | undefined => {
  const volatile: string[] = [];
  const sorter = new FieldSorter(volatile, allowedInResponse(false));
  for (const [name, value] of pairs(raw))
    if (!NOT_PASSED_ON.has(name) && !name.startsWith(':') && sorter.add(name, value) !== '') return undefined;
  return { head: new ResponseHead(status, new Fields(sorter.list())), volatile };
};

function* pairs(raw: RawFields): Generator<readonly [name: string, value: string]> {
  for (let i = 0; i + 1 < raw.length; i += 2) yield [text(raw[i]).toLowerCase(), text(raw[i + 1]).trim()];
}

const text = (part: string | Buffer | undefined): string =>
  typeof part === 'string' ? part : (part?.toString('latin1') ?? '');
