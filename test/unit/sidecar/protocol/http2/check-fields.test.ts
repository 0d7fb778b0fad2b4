import fc from 'fast-check';
import t from 'tap';
import { isFieldValue } from '../../../../../sidecar/protocol/http2/check-fields.ts';
import { isContentLength } from '../../../../../sidecar/protocol/http2/sort-fields.ts';

/** RFC 9110 §5.5, with obs-text: the rule as one pattern. */
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]|^[ \t]|[ \t]$/;

t.test('field values: every character at the start, inside and at the end', t => {
  t.equal(isFieldValue(''), true);
  for (let code = 0; code <= 0x110; code++) {
    const character = String.fromCharCode(code);
    for (const value of [character, `${character}a`, `a${character}b`, `a${character}`])
      if (isFieldValue(value) === BAD_VALUE.test(value)) t.fail(JSON.stringify(value));
  }
  t.end();
});

t.test('a Content-Length is one to fifteen digits', t => {
  for (const good of ['0', '7', '007', '123456789012345']) t.equal(isContentLength(good), true, good);
  for (const bad of ['', '1234567890123456', '-1', '+1', '1 ', ' 1', '1a', '1.0', '0x1', '１'])
    t.equal(isContentLength(bad), false, bad);
  const DIGITS = /^[0-9]{1,15}$/;
  fc.assert(fc.property(fc.string(), text => isContentLength(text) === DIGITS.test(text)));
  t.end();
});
