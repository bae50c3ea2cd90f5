import { afterEach, expect, it } from 'vitest';
import { enterToken, token, tokenRefused, tokenState } from './token.js';

afterEach(() => {
  enterToken(undefined);
  tokenState.value = 'accepted';
});

it('says that a token is refused, also if further calls without a token are refused after it', () => {
  enterToken('old');
  tokenRefused('old');
  tokenRefused(undefined);
  expect([tokenState.value, token.value]).toEqual(['refused', undefined]);
});

it('ignores late answers to an earlier token', () => {
  enterToken('new');
  tokenRefused('old');
  tokenRefused(undefined);
  expect([tokenState.value, token.value]).toEqual(['accepted', 'new']);
});

it('asks where none was shown', () => {
  tokenRefused(undefined);
  expect(tokenState.value).toBe('asked');
});
