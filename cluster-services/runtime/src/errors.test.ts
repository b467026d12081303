import { expect, test } from 'vitest';
import { defineErrors, isCodedError } from './errors.ts';

class EdgeError extends defineErrors('edge-agent', {
  OUTBOX_FULL: { retry: 'no', summary: 'the outbox reached its size limit', next: 'wait' },
  BROKER_UNREACHABLE: { retry: 'yes', summary: 'not connected to the broker', next: 'wait' },
}) {}
class OtherError extends defineErrors('other', { OUTBOX_FULL: { retry: 'no', summary: 'another table', next: 'wait' } }) {}

test('an error carries its code, whether to try again, its summary with the detail, and its cause', () => {
  const cause = new Error('ENOSPC');
  const error = new EdgeError('OUTBOX_FULL', '8192 of 8192 MB', { cause });
  expect(error).toMatchObject({ name: 'EdgeAgentError', code: 'OUTBOX_FULL', retry: false, cause });
  expect(error.message).toBe('the outbox reached its size limit: 8192 of 8192 MB');
  expect(new EdgeError('BROKER_UNREACHABLE')).toMatchObject({ retry: true, message: 'not connected to the broker' });
  expect(error).toBeInstanceOf(EdgeError);
  expect(error).toBeInstanceOf(Error);
});

test('is() tells errors of its own table, by code if asked', () => {
  const error = new EdgeError('OUTBOX_FULL');
  expect(EdgeError.is(error)).toBe(true);
  expect(EdgeError.is(error, 'OUTBOX_FULL')).toBe(true);
  expect(EdgeError.is(error, 'BROKER_UNREACHABLE')).toBe(false);
  expect(OtherError.is(error, 'OUTBOX_FULL')).toBe(false);
  expect(EdgeError.is(Object.assign(new Error('x'), { code: 'OUTBOX_FULL' }))).toBe(false);
  expect(isCodedError(new OtherError('OUTBOX_FULL'))).toBe(true);
});
