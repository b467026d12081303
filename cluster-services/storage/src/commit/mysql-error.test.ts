import { expect, test } from 'vitest';
import { StorageError } from '../errors.ts';
import { mysqlError } from './mysql-error.ts';

test.each([
  [1213, 'ER_LOCK_DEADLOCK', 'UNAVAILABLE', true],
  [1205, 'ER_LOCK_WAIT_TIMEOUT', 'UNAVAILABLE', true],
  [1146, 'ER_NO_SUCH_TABLE', 'NOT_MIGRATED', false],
  [1136, 'ER_WRONG_VALUE_COUNT_ON_ROW', 'NOT_MIGRATED', false],
  [1045, 'ER_ACCESS_DENIED_ERROR', 'DENIED', false],
  [1040, 'ER_CON_COUNT_ERROR', 'UNAVAILABLE', false],
  [1290, 'ER_OPTION_PREVENTS_STATEMENT', 'UNAVAILABLE', false],
  [1264, 'ER_WARN_DATA_OUT_OF_RANGE', 'REFUSED', false],
  [1526, 'ER_NO_PARTITION_FOR_GIVEN_VALUE', 'REFUSED', false],
  [9999, 'ER_SOMETHING_NEW', 'UNAVAILABLE', false],
])('%i is told as it is', (errno, code, name, lockConflict) => {
  const sorted = mysqlError(Object.assign(new Error('x'), { errno, code }), 'here');
  expect(sorted).toMatchObject({ lockConflict, error: { code: name } });
});

test('what comes from the network is unavailable, and our own errors stay as they are', () => {
  expect(mysqlError(Object.assign(new Error('x'), { code: 'ECONNRESET' }), 'here').error.code).toBe('UNAVAILABLE');
  expect(mysqlError('nonsense', 'here').error.retry).toBe(true);
  const own = new StorageError('BAD_ROW', 'x');
  expect(mysqlError(own, 'here').error).toBe(own);
});
