/** Text to plain JSON values, for bodies and files that nobody has looked at yet. */

import { isScalar, Lexer, parseAllDocuments, visit } from 'yaml';
import { formatPath, type PathStep } from './field-path.ts';

/** Levels of objects and lists within each other. Real resources have about ten. */
export const MAX_DEPTH = 64;
/** Values in one document, keys not counted: an alias counts as what it stands for. */
export const MAX_VALUES = 20_000;

const TOO_MANY_VALUES = `the document has more than ${MAX_VALUES} values`;

/** The text is not what it should be; the message is a sentence. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
}

/** @throws DocumentError */
export const parseJson = (text: string): unknown => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DocumentError(`the JSON is broken: ${(error as Error).message}`);
  }
  checkShape(value);
  return value;
};

/** Every document of a YAML 1.2 stream (JSON is YAML too), empty ones left out. @throws DocumentError */
export const parseYaml = (text: string): unknown[] => {
  checkLexemes(text);
  const values: unknown[] = [];
  for (const document of parseAllDocuments(text, { logLevel: 'silent', stringKeys: true, uniqueKeys: false })) {
    const value = documentValue(document);
    if (value !== null) values.push(value);
  }
  for (const value of values) checkShape(value);
  return values;
};

const documentValue = (document: ReturnType<typeof parseAllDocuments>[number]): unknown => {
  const [error] = document.errors;
  if (error !== undefined)
    throw new DocumentError(`the YAML is broken: ${error.message.split('\n')[0]?.replace(/:$/, '')}`);
  checkUniqueKeys(document);
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new DocumentError(`the YAML is broken: ${(error as Error).message}`);
  }
};

/** The library's own check compares every key with every other one: 100,000 keys take it minutes. */
const checkUniqueKeys = (document: ReturnType<typeof parseAllDocuments>[number]): void =>
  visit(document, {
    Map: (_, { items }) => {
      const names = new Set<unknown>();
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key;
        if (names.has(name))
          throw new DocumentError(`the YAML is broken: the key ${JSON.stringify(name)} is there twice in one object`);
        names.add(name);
      }
    },
  });

/** A key, a value, and the signs between them are up to five. */
const LEXEMES_PER_VALUE = 5;

/**
 * Refuses depth and bulk before the parser proper sees it, which goes down by calling itself and takes seconds for megabytes.
 * Depth by indentation alone stays small within the size of a body, and `checkShape` finds it.
 */
const checkLexemes = (text: string): void => {
  let brackets = 0;
  let dashes = 0;
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme === '[' || lexeme === '{') brackets++;
    else if (lexeme === ']' || lexeme === '}') brackets--;
    else if (lexeme === '-' || lexeme === '?') dashes++;
    else if (lexeme === '\n') dashes = 0;
    if (lexeme === '---') lexemes = 0;
    else if (lexeme.trim() !== '') lexemes++;
    if (brackets > MAX_DEPTH || dashes > MAX_DEPTH)
      throw new DocumentError(`the document is nested deeper than ${MAX_DEPTH} levels`);
    if (lexemes > MAX_VALUES * LEXEMES_PER_VALUE) throw new DocumentError(TOO_MANY_VALUES);
  }
};

/** Refuses what no resource needs and what could hurt: depth, bulk, `__proto__`, numbers that JSON does not have. @throws DocumentError */
export const checkShape = (root: unknown): void => {
  let values = 0;
  const look = (value: unknown, steps: readonly PathStep[]): void => {
    if (++values > MAX_VALUES) throw new DocumentError(TOO_MANY_VALUES);
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new DocumentError(`${formatPath(steps)} must be a number that JSON has, not ${value}`);
    if (typeof value !== 'object' || value === null) return;
    if (steps.length >= MAX_DEPTH) throw new DocumentError(`the document is nested deeper than ${MAX_DEPTH} levels`);
    if (Array.isArray(value)) for (const [i, item] of value.entries()) look(item, [...steps, i]);
    else
      for (const [name, member] of Object.entries(value)) {
        if (name === '__proto__')
          throw new DocumentError(`${formatPath([...steps, name])} must be absent: the name is not allowed`);
        look(member, [...steps, name]);
      }
  };
  look(root, []);
};
