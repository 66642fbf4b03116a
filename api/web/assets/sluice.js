// The page's script. Without it everything can be read and done; with it times
// are relative and an open page changes by itself.
'use strict';
(() => {
  const body = document.body;

  // Times: relative in the text, absolute in the title.
  const relative = (at, now) => {
    const s = Math.round((now - at) / 1000);
    const [ahead, n] = [s < 0, Math.abs(s)];
    const text = n < 60 ? n + ' s' : n < 3600 ? Math.floor(n / 60) + ' min' : n < 86400 ? Math.floor(n / 3600) + ' h' : Math.floor(n / 86400) + ' d';
    return ahead ? 'in ' + text : text + ' ago';
  };
  const tick = () => {
    const now = Date.now() + skew;
    for (const t of document.querySelectorAll('time[datetime]')) {
      if (t.hasAttribute('data-absolute')) continue;
      if (!t.title) t.title = t.textContent;
      const text = relative(Date.parse(t.dateTime), now);
      if (t.textContent !== text) t.textContent = text;
    }
  };
  let skew = 0; // of this machine's clock to the server's, once a stream told it

  tick();
  setInterval(tick, 1000);

  // A form is sent once.
  document.addEventListener('submit', (e) => {
    const form = e.target;
    if (form.method !== 'post') return;
    if (form.dataset.sent) { e.preventDefault(); return; }
    form.dataset.sent = 'yes';
    setTimeout(() => { delete form.dataset.sent; }, 5000);
  });

  // On a narrow screen the sections are wider than it: the present one is in sight.
  const sections = document.querySelector('.bar nav');
  const section = sections && sections.querySelector('[aria-current]');
  if (section) sections.scrollLeft += Math.max(0, section.getBoundingClientRect().right + 16 - sections.getBoundingClientRect().right);

  if (!body.dataset.live) return;

  // An open page is told what it shows now, whole; nothing is kept here that the
  // server would not say again.
  const main = document.getElementById('main');
  const stale = document.getElementById('stale');
  const live = document.getElementById('live');
  const silence = 20000; // a stream says something at least every five seconds
  let mark = body.dataset.mark;
  let heard = Date.now();
  let current = ''; // when what is shown was last known to be so
  let stream = null;
  let wait = 1000;
  let again = 0;

  // What comes under the pointer in the moment of a click was not what was meant by it.
  let pointer = null;
  let moved = null; // when, and where the pointer was
  const aimed = () => {
    const at = pointer && document.elementFromPoint(pointer.x, pointer.y);
    const on = at && at.closest('a, button, summary');
    return on ? [on.href, on.form && on.form.action, on.textContent].join(' ') : '';
  };
  const change = (how) => {
    const before = aimed();
    how();
    if (aimed() !== before) moved = { at: Date.now(), ...pointer };
  };
  document.addEventListener('pointermove', (e) => { pointer = { x: e.clientX, y: e.clientY }; }, { passive: true });
  document.addEventListener('pointerdown', (e) => { pointer = { x: e.clientX, y: e.clientY }; }, { passive: true });
  document.addEventListener('click', (e) => {
    const still = moved && Date.now() - moved.at < 500 && Math.hypot(e.clientX - moved.x, e.clientY - moved.y) < 8;
    if (still && e.detail > 0) { e.preventDefault(); e.stopPropagation(); } // none by the keyboard, whose focus stays
  }, true);

  const clock = (t) => new Date(t + skew).toISOString().slice(11, 19) + ' UTC';
  current = clock(heard);
  const say = (text, link) => {
    if (stale.textContent !== text) {
      stale.textContent = text;
      if (link) {
        const a = document.createElement('a');
        a.href = link;
        a.textContent = 'Sign in again';
        stale.append(' ', a);
      }
    }
    if (stale.hidden) change(() => { stale.hidden = false; });
    live.hidden = true;
  };
  const fresh = () => {
    heard = Date.now();
    current = clock(heard);
    wait = 1000;
    if (!stale.hidden) change(() => { stale.hidden = true; });
    stale.textContent = '';
    live.hidden = false;
  };
  const lost = () => say('Connection lost since ' + clock(heard) + '. What you see may be old; trying again by itself.');
  const unread = () => {
    heard = Date.now();
    say('Sluice cannot read its database. What you see is from ' + current + '; trying again by itself.');
  };
  const signedOut = () => {
    close();
    say('You are signed out: what you see is from ' + current + '.', '/login?next=' + encodeURIComponent(body.dataset.live));
  };
  const close = () => { if (stream) stream.close(); stream = null; };

  const show = (told) => {
    if (told.build !== body.dataset.build) { location.reload(); return; }
    mark = told.mark;
    if (document.title !== told.title) document.title = told.title;
    const held = document.activeElement;
    change(() => {
      Idiomorph.morph(main, told.html, {
        morphStyle: 'innerHTML', ignoreActiveValue: true,
        callbacks: {
          // What a person opened or filled in stays as they left it.
          beforeAttributeUpdated: (name, node) => !(name === 'open' && node.tagName === 'DETAILS') && !(name === 'title' && node.tagName === 'TIME'),
          beforeNodeMorphed: (old) => !(old.nodeType === 1 && old.tagName === 'FORM' && old.contains(held) && held !== body),
        },
      });
      for (const t of main.querySelectorAll('time[datetime]')) t.title = t.textContent.includes('UTC') ? t.textContent : t.title;
      tick();
    });
  };

  const open = () => {
    close();
    stream = new EventSource('/live?page=' + encodeURIComponent(body.dataset.live) + '&mark=' + encodeURIComponent(mark));
    stream.addEventListener('page', (e) => { fresh(); show(JSON.parse(e.data)); });
    stream.addEventListener('here', (e) => {
      const here = JSON.parse(e.data);
      skew = Date.parse(here.now) - Date.now();
      if (here.unread) unread(); else fresh();
    });
    stream.addEventListener('signed-out', signedOut);
    stream.addEventListener('reconnect', (e) => { close(); retry(JSON.parse(e.data).afterMillis); });
    stream.onerror = () => { close(); lost(); ask(); };
  };
  const retry = (after) => { clearTimeout(again); again = setTimeout(open, after); };

  // A stream does not say why it could not be opened: the page does.
  const ask = async () => {
    try {
      const answer = await fetch(body.dataset.live, { headers: { Accept: 'text/html' }, redirect: 'manual', cache: 'no-store' });
      if (answer.type === 'opaqueredirect') { signedOut(); return; }
      if (answer.status === 403 || answer.status === 404) { location.reload(); return; } // it says so itself
    } catch { /* the daemon is away */ }
    retry(wait);
    wait = Math.min(wait * 2, 15000);
  };

  setInterval(() => { if (stream && Date.now() - heard > silence) { lost(); open(); } }, 2000);

  // A page that nobody sees needs no stream.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) { clearTimeout(again); close(); } else if (!stream) open();
  });
  window.addEventListener('pagehide', close);
  window.addEventListener('pageshow', (e) => { if (e.persisted) open(); });
  open();
})();
