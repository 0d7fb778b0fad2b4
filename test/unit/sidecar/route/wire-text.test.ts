import fc from 'fast-check';
import t from 'tap';
import { wirePath, wireText } from '../../../../sidecar/route/wire-text.ts';

t.test('plain text stays as it is, white space at the ends goes', t => {
  t.equal(wireText('a, b'), 'a, b');
  t.equal(wireText('  a\t'), 'a');
  t.end();
});

t.test('other text is its UTF-8 octets', t => {
  t.equal(wireText('é'), '\xc3\xa9');
  t.equal(Buffer.from(wireText('日本 Ċ'), 'latin1').toString('utf8'), '日本 Ċ');
  t.end();
});

t.test('no letter becomes a line break', t => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), text => {
      fc.pre(!/[\r\n]/.test(text));
      t.notMatch(wireText(text), /[\r\n]|[^\0-\xff]/);
    }),
  );
  t.end();
});

t.test('a path keeps what a path may have, the rest is percent-encoded', t => {
  t.equal(wirePath("/a-Z0._~!$&'()*+,;=:@/%2A/"), "/a-Z0._~!$&'()*+,;=:@/%2A/");
  t.equal(wirePath('/a b?c#d"<é>\r\n'), '/a%20b%3Fc%23d%22%3C%C3%A9%3E');
  t.equal(wirePath(''), '');
  t.end();
});
