import t from 'tap';
import { formatPem, readPem } from '../../../certs/pem.ts';

t.test('what is written is read again, whatever its length', t => {
  for (const length of [0, 1, 47, 48, 49, 1_000]) {
    const der = Buffer.alloc(length, 0xa5);
    t.same(readPem(formatPem(der, 'CERTIFICATE'), 'CERTIFICATE'), [der]);
  }
  t.ok(
    formatPem(Buffer.alloc(100), 'X')
      .split('\n')
      .every(line => line.length <= 64),
  );
  t.end();
});

t.test('blocks are read in order, and text and other labels around them are left out', t => {
  const text = `subject=web\n${formatPem(Buffer.of(1), 'CERTIFICATE')}${formatPem(Buffer.of(9), 'PRIVATE KEY')}\r\n${formatPem(Buffer.of(2), 'CERTIFICATE')}`;
  t.same(readPem(text, 'CERTIFICATE'), [Buffer.of(1), Buffer.of(2)]);
  t.end();
});

t.test('a block without its end is no block', t => {
  t.same(readPem('-----BEGIN CERTIFICATE-----\nAQ==\n', 'CERTIFICATE'), []);
  t.same(readPem('', 'CERTIFICATE'), []);
  t.end();
});
