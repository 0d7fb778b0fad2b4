/** A file of Kubernetes objects, cut into documents that can be changed one by one. */

import { type Document, parse, parseDocument } from 'yaml';
import { Failure } from '../failure.ts';
import { parseVerbatim } from './edit.ts';

export interface ManifestDocument {
  /** What Kubernetes takes it for, with aliases and merge keys resolved. */
  readonly value: unknown;
  /** As it was written. */
  readonly source: string;
  /** As written, but for what `change` does. */
  edit(change: (document: Document) => void): string;
}

/**
 * The documents of a YAML stream, or the one of a JSON file. Joined again, the sources are the file.
 * @throws Failure where one is broken; `place` begins its message
 */
export const readManifest = (text: string, place: string): readonly ManifestDocument[] => {
  // A line that begins with --- is a border wherever it stands: YAML 1.2 §9.1.2.
  const sources = text.split(/^(?=---(?:\s|$))/m);
  return sources.map((source, i) => {
    const [, border = '', body = source] = /^(---[ \t]*(?:#.*)?\r?\n)([\s\S]*)$/.exec(source) ?? [];
    return {
      value: readValue(body, sources.length > 1 ? `${place}: document ${i + 1}` : place),
      source,
      edit: change => border + edited(body, change),
    };
  });
};

const readValue = (body: string, place: string): unknown => {
  // YAML 1.1 is what Kubernetes reads: `on` is true and 0644 is 420.
  const document = parseDocument(body, { version: '1.1', logLevel: 'silent' });
  const [error] = document.errors;
  if (error !== undefined)
    throw new Failure(`${place}: the YAML is broken: ${error.message.split('\n')[0]?.replace(/:$/, '')}`);
  try {
    return document.toJS();
  } catch (cause) {
    throw new Failure(`${place}: the YAML is broken: ${(cause as Error).message}`);
  }
};

const edited = (body: string, change: (document: Document) => void): string => {
  const document = parseVerbatim(body);
  change(document);
  const text = document.toString({
    lineWidth: 0,
    indent: indentOf(body),
    indentSeq: !/^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\r?\n(?:\s*#[^\n]*\n)*\1- /m.test(body),
    flowCollectionPadding: !/[{[][^\s\]}]/.test(body),
  });
  if (body.trimStart().startsWith('{')) return `${JSON.stringify(parse(text), null, 2)}\n`;
  return body.includes('\r\n') ? text.replaceAll('\n', '\r\n') : text;
};

/** Of the first member of a map within a map. */
const indentOf = (body: string): number => /^[^\s#-][^\n]*:[ \t]*\r?\n( +)[^\s#-]/m.exec(body)?.[1]?.length ?? 2;
