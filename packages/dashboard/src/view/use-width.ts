import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export interface Width<Box extends Element> {
  readonly box: RefObject<Box | null>;
  /** 0 before the first layout. */
  readonly widthPx: number;
}

/** Width of an element, in whole pixels. `isThere`: false while the element is not rendered. */
export function useWidth<Box extends Element>(isThere = true): Width<Box> {
  const box = useRef<Box>(null);
  const widthPx = useSignal(0);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const watch = new ResizeObserver(([entry]) => {
      widthPx.value = Math.floor(entry?.contentRect.width ?? 0);
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, [isThere]);
  return { box, widthPx: widthPx.value };
}
