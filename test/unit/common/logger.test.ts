import t from 'tap';
import { createLogger, type LogLevel } from '../../../common/logger.ts';

const setUp = (level: LogLevel) => {
  const lines: Record<string, unknown>[] = [];
  const output = {
    write: (text: string): void => void lines.push(JSON.parse(text)),
  };
  return { logger: createLogger(level, output), lines };
};

t.test('a line is JSON with level, time, message and fields', t => {
  const { logger, lines } = setUp('info');
  logger.info('Started.', { port: 1 });
  t.match(lines, [{ type: 'log', level: 'info', message: 'Started.', port: 1, time: /^\d{4}-\d\d-\d\dT.*Z$/ }]);
  t.end();
});

t.test('an error is written with its message and stack', t => {
  const { logger, lines } = setUp('info');
  logger.error('Failed.', { error: new Error('broken') });
  t.match(lines, [{ level: 'error', error: { message: 'broken', stack: /logger\.test/ } }]);
  t.end();
});

t.test('the level can be changed while it runs, for children too', t => {
  const { logger, lines } = setUp('warn');
  const child = logger.child({ part: 'discovery' }).child({ name: 'a' });
  child.info('unheard');
  t.equal(logger.level, 'warn');
  logger.level = 'debug';
  child.debug('heard', { extra: 1 });
  logger.level = 'silent';
  child.error('unheard');
  t.equal(logger.level, 'silent');
  t.match(lines, [{ message: 'heard', part: 'discovery', name: 'a', extra: 1 }]);
  t.equal(lines.length, 1);
  t.end();
});
