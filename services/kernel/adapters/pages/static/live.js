// Fetches a page that asks for it again, and puts what changed in its place. Without it, or where it fails, the page
// still works: the link in the page loads it again.
const main = document.querySelector('[data-live]');
if (main) {
  const every = Number(main.dataset.live) * 1000;
  const again = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { credentials: 'same-origin', redirect: 'error' });
        if (!answer.ok) throw new Error(String(answer.status));
        const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
        const parts = document.querySelectorAll('[data-part]');
        for (const part of parts) {
          const fresh = next.querySelector(`[data-part="${CSS.escape(part.dataset.part)}"]`);
          if (fresh && fresh.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) {
            part.replaceChildren(...fresh.childNodes);
          }
        }
        if (!next.querySelector('[data-live]')) return;
      } catch {
        location.reload();
        return;
      }
    }
    setTimeout(again, every);
  };
  setTimeout(again, every);
}
