/** Changes of a YAML document that leave everything else as it is written. */

import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type ParsedNode,
  parseDocument,
  stringify,
  YAMLMap,
  YAMLSeq,
} from 'yaml';
import type { Plain } from './plain.ts';
import type { Path } from './pod-templates.ts';

/** What is to be changed cannot be; the message is a sentence without a subject. */
export class EditError extends Error {
  override readonly name = 'EditError';
}

/** All scalars are text as it stands (`0644`, `yes`), so that nothing is read and written differently. */
export const parseVerbatim = (source: string): Document.Parsed =>
  parseDocument(source, { schema: 'failsafe', logLevel: 'silent' });

/** Quotes what YAML 1.1, which Kubernetes reads, would not take for text. */
const verbatimNode = (value: unknown): ParsedNode | null =>
  parseVerbatim(stringify(value, { version: '1.1', lineWidth: 0 })).contents;

/** Sets what is not set yet in the map at `path`, which is made where there is none. @throws EditError */
export const setMissing = (document: Document, path: Path, values: Readonly<Record<string, unknown>>): void => {
  const map = mapAt(document, path);
  for (const [name, value] of Object.entries(values))
    if (!map.has(name)) map.add(document.createPair(name, verbatimNode(value)));
};

/** Adds entries to the list `name` in the map at `path`, which are made where there is none. @throws EditError */
export const addToList = (
  document: Document,
  path: Path,
  name: string,
  entries: readonly Plain[],
  where: 'first' | 'last' = 'last',
): void => {
  if (entries.length === 0) return;
  const map = mapAt(document, path);
  const nodes = entries.map(verbatimNode);
  const present = map.get(name, true);
  if (isSeq(present)) {
    if (where === 'first') keepComment(present);
    present.items.splice(where === 'first' ? 0 : present.items.length, 0, ...nodes);
    return;
  }
  if (!isAbsent(present)) throw cannotEdit(present, [...path, name], 'a list');
  const list = new YAMLSeq(document.schema);
  list.items.push(...nodes);
  map.set(name, list);
};

/** Puts another member in the place of one of the map at `path`. @throws EditError */
export const replaceMember = (document: Document, path: Path, from: string, to: string, value: Plain): void => {
  const map = mapAt(document, path);
  const at = map.items.findIndex(({ key }) => String(key) === from);
  if (at >= 0) map.items[at] = document.createPair(to, verbatimNode(value));
};

/** What stands above the first entry is about that entry. */
const keepComment = (list: YAMLSeq): void => {
  const [first] = list.items;
  if (!isNode(first) || list.commentBefore === null || list.commentBefore === undefined) return;
  first.commentBefore = list.commentBefore;
  list.commentBefore = null;
};

/** @throws EditError where it is not a map, or not written out */
const mapAt = (document: Document, path: Path): YAMLMap => {
  const node = nodeAt(document, path);
  if (!isMap(node)) throw cannotEdit(node, path, 'a map');
  if (node.has('<<')) throw new EditError(`has a merge key (<<) at ${spell(path)}: write out what it stands for`);
  return node;
};

const nodeAt = (document: Document, path: Path): unknown => {
  const step = path.at(-1);
  if (step === undefined) return document.contents;
  const above = path.slice(0, -1);
  if (typeof step === 'number') {
    const list = nodeAt(document, above);
    if (!isSeq(list)) throw cannotEdit(list, above, 'a list');
    return list.get(step, true);
  }
  const parent = mapAt(document, above);
  const node = parent.get(step, true);
  if (!isAbsent(node)) return node;
  const made = new YAMLMap(document.schema);
  parent.set(step, made);
  return made;
};

const isAbsent = (node: Node | undefined): boolean =>
  node === undefined || (isScalar(node) && ['', '~', 'null'].includes(String(node.value)));

const cannotEdit = (node: unknown, path: Path, what: string): EditError =>
  new EditError(
    isAlias(node)
      ? `has an alias at ${spell(path)}: write out what it stands for`
      : `must have ${what} at ${spell(path)}`,
  );

/** `spec.template.spec.containers[0]` */
const spell = (path: Path): string =>
  path
    .map(step => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
