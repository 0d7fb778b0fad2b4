import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DETAILS } from '../../../sidecar/errors/details.ts';
import { ERRORS } from '../../../sidecar/errors/proxy-error.ts';
import { tableRows } from './support/markdown-tables.ts';
import { sources } from './support/sources.ts';

const ROOT = join(import.meta.dirname, '../../..');
const page = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');
const plain = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '');

t.test('docs/errors.md has the table of codes that the code has', t => {
  const documented = tableRows(page, 'Codes').map(([code, http, grpc, flag, side, retry, sentence]) => ({
    code: plain(code),
    http: Number(http),
    grpc: Number(grpc?.split(' ')[0]),
    flag: plain(flag),
    side,
    retry,
    sentence,
  }));
  const real = Object.entries(ERRORS).map(([code, { http, grpc, flag, side, retry, sentence }]) => ({
    code,
    http,
    grpc,
    flag,
    side,
    retry,
    sentence,
  }));
  t.same(documented, real);
  t.end();
});

t.test('docs/errors.md says what to do about every code', t => {
  const rows = tableRows(page, 'What to do');
  t.same(
    rows.map(([code]) => plain(code)),
    Object.keys(ERRORS),
  );
  for (const [code = '', advice] of rows) t.match(advice, /\w/, code);
  t.end();
});

t.test('docs/errors.md lists the details that the code lists', t => {
  const documented = Object.fromEntries(
    tableRows(page, 'Details').map(([detail, meaning]) => [plain(detail), meaning]),
  );
  t.same(documented, DETAILS);
  t.end();
});

/** What is compared with is no detail. */
const STRING = /(?<!=== )'([^']*)'/g;
const WAYS_TO_NAME_A_DETAIL = [
  // proxyError('CODE', 'detail', …), also with a choice or a fallback in the second place.
  /proxyError\(\s*'[A-Z_]+',([^,;]*?)[,)]/g,
  // A connection ends all that it carries.
  /this\.(?:lose|fail)\(([^,()]*)\)/g,
  // System errors by name.
  /const DETAILS: Readonly<Record<string, string>> = \{([^}]*)\}/g,
  // What can be wrong with HTTP/1 and with a certificate.
  /type (?:Http1Fault|SvidReason) =([^;]*);/g,
];

t.test('every detail that the sources give is listed, and every listed one is given', t => {
  const given = new Map<string, string>();
  const files = [...sources('sidecar'), ...sources('certs')].filter(({ path }) => !path.endsWith('errors/details.ts'));
  for (const { path, text } of files) {
    for (const way of WAYS_TO_NAME_A_DETAIL) {
      for (const [, part = ''] of text.matchAll(way)) {
        for (const [, detail = ''] of part.matchAll(STRING)) if (/^[a-z0-9_]+$/.test(detail)) given.set(detail, path);
      }
    }
  }
  for (const [detail, path] of given) t.ok(detail in DETAILS, `${detail} of ${path} is listed`);
  const all = files.map(({ text }) => text).join('\n');
  for (const detail of Object.keys(DETAILS)) t.ok(all.includes(`'${detail}'`), `${detail} is given somewhere`);
  t.ok(given.size > 50, 'the search finds them');
  t.end();
});
