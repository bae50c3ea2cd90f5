import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { enterToken } from '../state/token.js';

export function TokenForm({ isRefused }: { readonly isRefused: boolean }) {
  const entered = useSignal('');
  const field = useRef<HTMLInputElement>(null);
  // Once: later, the focus is where the user put it.
  useEffect(() => field.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const value = entered.value.trim();
    if (value !== '') enterToken(value);
  };
  return (
    <form class="notice token" onSubmit={submit}>
      <h2>{isRefused ? 'The token is not valid any more' : 'This server asks for a token'}</h2>
      <p>
        {isRefused
          ? 'The server refused the token: it has expired, was replaced, or was mistyped.'
          : 'It is the content of the file that --admin-token-file names.'}{' '}
        The token stays in this tab and is forgotten when you close it.
      </p>
      <label for="token">Token</label>
      <input
        id="token"
        type="password"
        autocomplete="off"
        spellcheck={false}
        ref={field}
        required
        value={entered.value}
        aria-invalid={isRefused}
        onInput={({ currentTarget }) => {
          entered.value = currentTarget.value;
        }}
      />
      <button type="submit" class="primary">
        Continue
      </button>
    </form>
  );
}
