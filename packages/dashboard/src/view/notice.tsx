/** A designed state in place of content: loading, empty, an error. */
import type { ComponentChildren } from 'preact';

export interface NoticeProps {
  readonly kind: 'loading' | 'empty' | 'bad';
  readonly title: string;
  readonly children?: ComponentChildren;
}

export function Notice({ kind, title, children }: NoticeProps) {
  return (
    <section class={`notice is-${kind}`} aria-live="polite" aria-busy={kind === 'loading'}>
      {kind === 'loading' && <span class="spinner" aria-hidden="true" />}
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** A strip above the content. */
export function Banner({
  kind,
  children,
}: {
  readonly kind: 'bad' | 'warn' | 'info';
  readonly children: ComponentChildren;
}) {
  return (
    <div class={`banner is-${kind}`} role={kind === 'bad' ? 'alert' : 'status'}>
      {children}
    </div>
  );
}

/** A part of the page that this server leaves to others. */
export function Elsewhere({ title, text }: { readonly title: string; readonly text: string }) {
  return (
    <Notice kind="empty" title={title}>
      <p>{text}</p>
    </Notice>
  );
}
