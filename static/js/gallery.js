/* The pictures of a product: its links slide them without moving the page, and the link of
 * the picture that is shown says so. Without this module the links are plain anchors. */

/** Enhance the gallery of the page, if there is one. */
export function enhanceGallery() {
  const gallery = document.querySelector("[data-gallery]");
  if (!gallery) {
    return;
  }
  const strip = gallery.querySelector(".gallery__pictures");
  const links = [...gallery.querySelectorAll("a[href^='#']")];
  const pictures = links.map((link) => gallery.querySelector(link.getAttribute("href")));

  const mark = (shown) => {
    for (const [index, link] of links.entries()) {
      if (index === shown) {
        link.setAttribute("aria-current", "true");
      } else {
        link.removeAttribute("aria-current");
      }
    }
  };

  for (const [index, link] of links.entries()) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      strip.scrollTo({ left: pictures[index].offsetLeft });
    });
  }

  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          mark(pictures.indexOf(entry.target));
        }
      }
    },
    { root: strip, threshold: 0.6 },
  );
  for (const picture of pictures) {
    observer.observe(picture);
  }
}

enhanceGallery();
