// For a part that scrolls and holds nothing to tab to: it takes the keys itself, while there is more of it than is seen.

/** Lets the keys scroll an element, as long as its text does not fit. */
export function scroller(element: HTMLElement): { destroy: () => void } {
  const look = (): void => {
    if (element.scrollHeight > element.clientHeight) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  };
  const watch = new ResizeObserver(look);
  watch.observe(element);
  return { destroy: () => watch.disconnect() };
}
