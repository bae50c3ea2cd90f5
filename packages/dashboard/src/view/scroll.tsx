/** A table that scrolls sideways on small screens, also with the keyboard. */
import type { ComponentChildren } from 'preact';

export function Scroll({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls only what has the focus
    <section class="scroll" tabIndex={0} aria-label={name}>
      {children}
    </section>
  );
}
