"""Makes untrusted HTML inert: whatever a browser would load, open or run by itself is left out, and readable content is kept.

A content security policy forbids scripts, frames and external pictures, but not redirects (`meta refresh`) or connections opened
in advance (`link preconnect`). So only elements known to do nothing by themselves are kept, and none of their attributes that hold
an address, except pictures embedded in the page and links to click on. The output is written anew with all text escaped: however
broken the HTML is, a browser finds exactly these tags. (The parser of the standard library takes time that grows with the square of
the number of unclosed tags.)
"""

import re
from html import escape, unescape

ELEMENTS = {
    "a", "abbr", "address", "article", "aside", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center", "cite",
    "code", "col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "font",
    "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "i", "img", "ins", "kbd", "label", "li", "main",
    "mark", "menu", "nav", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "section", "small", "span", "strike",
    "strong", "style", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul",
    "var", "wbr", "circle", "clippath", "defs", "ellipse", "g", "line", "lineargradient", "marker", "mask", "path", "pattern",
    "polygon", "polyline", "radialgradient", "rect", "stop", "svg", "symbol", "text", "textpath", "tspan", "use",
}  # fmt: skip
SILENT = re.compile("</(?:script|style)", re.IGNORECASE)  # the end of content that is not text; styles are kept, scripts are not
ADDRESSES = {
    "action", "archive", "background", "cite", "classid", "code", "codebase", "data", "dynsrc", "formaction", "href", "icon",
    "imagesrcset", "longdesc", "lowsrc", "manifest", "ping", "poster", "profile", "src", "srcdoc", "srcset", "usemap",
    "xlink:href", "xml:base",
}  # fmt: skip
SHAPES = {"circle", "ellipse", "line", "path", "polygon", "polyline", "rect", "stop", "use"}
VOID = {"br", "col", "hr", "img", "input", "wbr"} | SHAPES  # without content
DEEP = 100  # nested elements; deeper ones are left out, since parsers take time that grows with the square of the depth
TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
ATTRIBUTE = re.compile(r"""[\s/]*([^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]*)))?""")
NAME = re.compile(r"[a-z_][\w:.-]*", re.ASCII)
LINK = re.compile(r"(https?:|mailto:)|[^:]*$|[^:]*[/?#]", re.IGNORECASE)  # these schemes, or a relative address
PICTURE = re.compile(r"data:image/", re.IGNORECASE)
IGNORED = re.compile(r"[\0-\x20]")  # characters that browsers ignore in an address


def inert(text: str) -> str:
    """A part of a page, made inert."""
    kept, place, depth = [], 0, 0
    while (begin := text.find("<", place)) >= 0:
        kept.append(_written(text[place:begin]))
        if not (tag := TAG.match(text, begin)):
            place = _behind_comment(text, begin)
            kept.append("&lt;" * (place == begin + 1))
            continue
        ends, name = bool(tag[1]), tag[2].lower()
        attributes, place = _attributes(text, tag.end())
        if place > len(text):  # the tag does not end, so a browser shows nothing of it
            return "".join(kept)
        opens = name in ELEMENTS - VOID
        depth += opens and not ends
        if depth <= DEEP and (opens or (name in VOID and not ends)):
            still = "".join(f' {key}="{escape(value)}"' for key, value in attributes if _still(name, key, value))
            kept.append(f"</{name}>" if ends else f"<{name}{still}{'/' * (name in SHAPES)}>")
        depth = max(depth - (opens and ends), 0)
        if name in ("script", "style") and not ends:
            end = found.start() if (found := SILENT.search(text, place)) else len(text)
            if name == "style" and "<" not in text[place:end]:  # within an SVG a < would begin a tag
                kept.append(text[place:end])
            place = end
    return "".join([*kept, _written(text[place:])])


def _written(text: str) -> str:
    return escape(unescape(text), quote=False)


def _behind_comment(text: str, begin: int) -> int:
    """The position after a comment or declaration, or after the < itself if it begins neither."""
    if not text.startswith(("<!", "<?", "</"), begin):
        return begin + 1
    sign = "-->" if text.startswith("<!--", begin) else ">"
    end = text.find(sign, begin + 2)
    return len(text) if end < 0 else end + len(sign)


def _attributes(text: str, place: int) -> tuple[list[tuple[str, str]], int]:
    """The attributes of a tag, and the position after it; beyond the text if it does not end."""
    found = []
    while place < len(text):
        one = ATTRIBUTE.match(text, place)
        if one[1]:
            found.append((one[1].lower(), unescape(one[2] or one[3] or one[4] or "")))
        place = one.end()
        if text.startswith(">", place):
            return found, place + 1
        place += not one[0]
    return found, len(text) + 1


def _still(tag: str, name: str, value: str) -> bool:
    """Whether an attribute does nothing by itself."""
    address = IGNORED.sub("", value)
    if name not in ADDRESSES:
        return bool(NAME.fullmatch(name)) and not name.startswith("on")
    if (tag, name) == ("a", "href"):
        return bool(LINK.match(address))
    return address.startswith("#") or ((tag, name) == ("img", "src") and bool(PICTURE.match(address)))
