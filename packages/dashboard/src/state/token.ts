/** The token of a remote port. It lives as long as the tab, in `sessionStorage`, and goes into no URL. */
import { signal } from '@preact/signals';

const KEY = 'equipoise-token';

function readToken(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    // Storage may be switched off. Then the token lives in memory only.
    return undefined;
  }
}

export const token = signal<string | undefined>(readToken());

/** `refused`: the server refused the token that was shown, for example an expired one. */
export const tokenState = signal<'accepted' | 'asked' | 'refused'>('accepted');

export function enterToken(value: string | undefined): void {
  token.value = value;
  tokenState.value = value === undefined ? 'asked' : 'accepted';
  try {
    if (value === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  } catch {
    // Storage may be switched off.
  }
}

/** `shown`: the token of the refused call. The answer to an earlier token says nothing about the current one. */
export function tokenRefused(shown: string | undefined): void {
  if (shown !== token.value) return;
  if (shown !== undefined) tokenState.value = 'refused';
  else if (tokenState.value === 'accepted') tokenState.value = 'asked';
  token.value = undefined;
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Storage may be switched off.
  }
}
