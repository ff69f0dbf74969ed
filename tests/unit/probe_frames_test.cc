// ARP and NDP frames byte for byte, and frames that are cut short or wrong.
#include <linux/if_arp.h>
#include <sys/mman.h>

#include <catch2/catch.hpp>

#include "src/probe/arp.h"
#include "src/probe/ipoib.h"
#include "src/probe/ndp.h"

using namespace railcni;

namespace {

constexpr MacAddress kMac = {0x02, 0x00, 0x00, 0x00, 0x00, 0x07};
constexpr MacAddress kOther = {0x02, 0x00, 0x00, 0x00, 0x00, 0x08};
constexpr Nonce kNonce = {1, 2, 3, 4, 5, 6};

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

// "ff ff 08 06" as bytes.
Frame hex(const std::string& text) {
  Frame bytes;
  for (size_t i = 0; i + 1 < text.size(); i += text[i] == ' ' ? 1 : 2) {
    if (text[i] != ' ') {
      bytes.push_back(static_cast<uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
    }
  }
  return bytes;
}

// A frame whose last byte is the last of a page, with nothing readable behind it: reading over the
// end is a crash, also without a sanitizer.
class AtPageEnd {
 public:
  explicit AtPageEnd(FrameView frame) : size_(frame.size()) {
    void* pages =
        mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(pages != MAP_FAILED);
    pages_ = static_cast<uint8_t*>(pages);
    REQUIRE(mprotect(pages_ + kPage, kPage, PROT_NONE) == 0);
    std::copy(frame.begin(), frame.end(), pages_ + kPage - size_);
  }
  ~AtPageEnd() { munmap(pages_, 2 * kPage); }
  FrameView view() const { return {pages_ + kPage - size_, size_}; }

 private:
  static constexpr size_t kPage = 4096;
  size_t size_;
  uint8_t* pages_ = nullptr;
};

// Sets the checksum right, by adding up the words as RFC 1071 says.
void fix_checksum(Frame& frame) {
  frame[56] = frame[57] = 0;
  const size_t length = static_cast<size_t>(frame[18] << 8 | frame[19]);
  uint64_t sum = 58 + length;
  for (size_t i = 22; i < 54 + length; ++i) {
    sum += static_cast<uint64_t>(frame[i]) << (i % 2 == 0 ? 8 : 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  frame[56] = static_cast<uint8_t>(~sum >> 8 & 0xff);
  frame[57] = static_cast<uint8_t>(~sum & 0xff);
}

// Appends an option; adjusts length and checksum.
void add_option(Frame& frame, const Frame& option) {
  append(frame, option);
  const size_t length = frame.size() - 54;
  frame[18] = static_cast<uint8_t>(length >> 8);
  frame[19] = static_cast<uint8_t>(length & 0xff);
  fix_checksum(frame);
}

}  // namespace

TEST_CASE("probe frames: ARP as RFC 826 and RFC 5227 lay it out") {
  CHECK(arp_probe(kMac, ip("10.1.2.3")) == hex("ff ff ff ff ff ff 02 00 00 00 00 07 08 06"
                                               "00 01 08 00 06 04 00 01"
                                               "02 00 00 00 00 07 00 00 00 00"
                                               "00 00 00 00 00 00 0a 01 02 03"));
  CHECK(arp_request(kMac, ip("10.1.2.3"), ip("10.1.2.1")) ==
        hex("ff ff ff ff ff ff 02 00 00 00 00 07 08 06 00 01 08 00 06 04 00 01"
            "02 00 00 00 00 07 0a 01 02 03 00 00 00 00 00 00 0a 01 02 01"));
  CHECK(arp_announcement(kMac, ip("10.1.2.3")) ==
        hex("ff ff ff ff ff ff 02 00 00 00 00 07 08 06 00 01 08 00 06 04 00 01"
            "02 00 00 00 00 07 0a 01 02 03 00 00 00 00 00 00 0a 01 02 03"));
  const auto reply =
      parse_arp(arp_frame(kMac, {ARPOP_REPLY, kOther, ip("10.1.2.1"), kMac, ip("10.1.2.3")}));
  REQUIRE(reply);
  CHECK(reply->operation == ARPOP_REPLY);
  CHECK(reply->sender_mac == kOther);
  CHECK(reply->sender_ip == ip("10.1.2.1"));
  CHECK(reply->target_mac == kMac);
  CHECK(reply->target_ip == ip("10.1.2.3"));
}

TEST_CASE("probe frames: ARP that is cut short, tagged or of other kinds is nothing") {
  const Frame good = arp_probe(kMac, ip("10.1.2.3"));
  for (size_t size = 0; size < good.size(); ++size) {
    INFO(size);
    CHECK_FALSE(parse_arp(AtPageEnd(FrameView(good).first(size)).view()));
  }
  CHECK(parse_arp(AtPageEnd(good).view()));
  Frame padded = good;
  padded.resize(60, 0xee);
  CHECK(parse_arp(padded));

  Frame tagged = good;
  const Frame tag = hex("81 00 00 05");
  tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
  CHECK_FALSE(parse_arp(tagged));

  const auto with = [&good](size_t offset, uint8_t value) {
    Frame frame = good;
    frame[offset] = value;
    return parse_arp(frame);
  };
  CHECK(with(15, 6));           // IEEE 802 is taken for Ethernet
  CHECK_FALSE(with(13, 0x00));  // EtherType IPv4
  CHECK_FALSE(with(15, 32));    // InfiniBand
  CHECK_FALSE(with(16, 0x86));  // protocol
  CHECK_FALSE(with(18, 20));    // hardware length
  CHECK_FALSE(with(18, 0));
  CHECK_FALSE(with(19, 16));  // protocol length
  CHECK_FALSE(with(19, 0));
  CHECK_FALSE(with(21, 3));  // RARP
  CHECK_FALSE(with(21, 0));
}

TEST_CASE("probe frames: NDP as RFC 4861, 4862 and 7527 lay it out") {
  Frame expected =
      hex("33 33 ff 00 00 03 02 00 00 00 00 07 86 dd"
          "60 00 00 00 00 20 3a ff 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
          "ff 02 00 00 00 00 00 00 00 00 00 01 ff 00 00 03"
          "87 00 00 00 00 00 00 00 fd 09 00 00 00 00 00 00 00 00 00 00 00 00 00 03"
          "0e 01 01 02 03 04 05 06");
  fix_checksum(expected);
  CHECK(duplicate_solicitation(kMac, ip("fd09::3"), kNonce) == expected);

  expected =
      hex("33 33 ff 00 00 01 02 00 00 00 00 07 86 dd"
          "60 00 00 00 00 20 3a ff fd 09 00 00 00 00 00 00 00 00 00 00 00 00 00 03"
          "ff 02 00 00 00 00 00 00 00 00 00 01 ff 00 00 01"
          "87 00 00 00 00 00 00 00 fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01"
          "01 01 02 00 00 00 00 07");
  fix_checksum(expected);
  CHECK(solicitation(kMac, ip("fd09::3"), ip("fe80::1")) == expected);

  expected =
      hex("33 33 00 00 00 01 02 00 00 00 00 07 86 dd"
          "60 00 00 00 00 20 3a ff fd 09 00 00 00 00 00 00 00 00 00 00 00 00 00 03"
          "ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01"
          "88 00 00 00 20 00 00 00 fd 09 00 00 00 00 00 00 00 00 00 00 00 00 00 03"
          "02 01 02 00 00 00 00 07");
  fix_checksum(expected);
  CHECK(unsolicited_advertisement(kMac, ip("fd09::3")) == expected);

  CHECK(solicited_node(ip("2001:db8::aabb:ccdd")) == ip("ff02::1:ffbb:ccdd"));
  CHECK(multicast_mac(ip("ff02::1:ffbb:ccdd")) == MacAddress{0x33, 0x33, 0xff, 0xbb, 0xcc, 0xdd});
  CHECK(kAllNodes == ip("ff02::1"));
}

TEST_CASE("probe frames: NDP is read back") {
  const auto duplicate =
      parse_neighbour_message(duplicate_solicitation(kMac, ip("fd09::3"), kNonce));
  REQUIRE(duplicate);
  CHECK(duplicate->type == kNeighbourSolicitation);
  CHECK(duplicate->sender_mac == kMac);
  CHECK(duplicate->source == kUnspecifiedV6);
  CHECK(duplicate->destination == ip("ff02::1:ff00:3"));
  CHECK(duplicate->target == ip("fd09::3"));
  CHECK(duplicate->nonce == kNonce);
  CHECK_FALSE(duplicate->link_layer);

  const auto asked = parse_neighbour_message(solicitation(kMac, ip("fd09::3"), ip("fe80::1")));
  REQUIRE(asked);
  CHECK(asked->source == ip("fd09::3"));
  CHECK(asked->link_layer == kMac);
  CHECK_FALSE(asked->nonce);

  const auto told = parse_neighbour_message(unsolicited_advertisement(kMac, ip("fd09::3")));
  REQUIRE(told);
  CHECK(told->type == kNeighbourAdvertisement);
  CHECK(told->target == ip("fd09::3"));
  CHECK(told->link_layer == kMac);
}

TEST_CASE("probe frames: NDP that RFC 4861 tells to discard is nothing") {
  const std::vector<Frame> all = {duplicate_solicitation(kMac, ip("fd09::3"), kNonce),
                                  solicitation(kMac, ip("fd09::3"), ip("fd09::1")),
                                  unsolicited_advertisement(kMac, ip("fd09::3"))};
  for (const Frame& good : all) {
    for (size_t size = 0; size < good.size(); ++size) {
      INFO(size);
      CHECK_FALSE(parse_neighbour_message(AtPageEnd(FrameView(good).first(size)).view()));
      // The same cut with a length that claims to be right.
      if (size < 54) continue;
      Frame cut(good.begin(), good.begin() + static_cast<ptrdiff_t>(size));
      cut[19] = static_cast<uint8_t>(size - 54);
      if (size > 58) fix_checksum(cut);
      CHECK(parse_neighbour_message(AtPageEnd(cut).view()).has_value() == (size == 78));
    }
    REQUIRE(parse_neighbour_message(AtPageEnd(good).view()));
    Frame padded = good;
    padded.resize(100, 0xee);
    CHECK(parse_neighbour_message(padded));
    Frame tagged = good;
    const Frame tag = hex("81 00 00 05");
    tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
    CHECK_FALSE(parse_neighbour_message(tagged));

    // A changed byte anywhere behind the IPv6 header's first half makes the checksum wrong.
    for (size_t i = 22; i < good.size(); ++i) {
      Frame damaged = good;
      damaged[i] ^= 0x10;
      INFO(i);
      CHECK_FALSE(parse_neighbour_message(damaged));
    }
    const auto with = [&good](size_t offset, uint8_t value) {
      Frame frame = good;
      frame[offset] = value;
      fix_checksum(frame);
      return parse_neighbour_message(frame);
    };
    CHECK_FALSE(with(14, 0x40));  // version
    CHECK_FALSE(with(20, 0));     // hop-by-hop options
    CHECK_FALSE(with(21, 254));   // hop limit
    CHECK_FALSE(with(54, 134));   // router advertisement
    CHECK_FALSE(with(55, 1));     // code
    CHECK_FALSE(with(62, 0xff));  // a multicast target
    CHECK_FALSE(with(79, 0));     // an option of length 0
    CHECK_FALSE(with(79, 2));     // one that runs over the end
    CHECK_FALSE(with(79, 255));
    CHECK(with(78, 200));  // an unknown option is skipped
  }
}

TEST_CASE("probe frames: announcements on IPoIB have addresses of 20 bytes") {
  const HwAddress mac =
      *parse_hw_address("80:00:01:06:fe:80:00:00:00:00:00:00:02:72:61:69:6c:01:00:00");
  // RFC 826 with hardware type 32 (RFC 4391, 9.1.1).
  CHECK(ipoib_arp_announcement(mac, ip("10.9.0.2")) ==
        hex("00 20 08 00 14 04 00 01"
            "80 00 01 06 fe 80 00 00 00 00 00 00 02 72 61 69 6c 01 00 00 0a 09 00 02"
            "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 0a 09 00 02"));
  // The option is padded before the address (RFC 4391, 9.3).
  CHECK(ipoib_advertisement(mac, ip("fd09::2")) ==
        hex("88 00 00 00 20 00 00 00 fd 09 00 00 00 00 00 00 00 00 00 00 00 00 00 02 02 03 00 00"
            "80 00 01 06 fe 80 00 00 00 00 00 00 02 72 61 69 6c 01 00 00"));
}

TEST_CASE("probe frames: options and addresses of NDP that do not fit together") {
  Frame frame = duplicate_solicitation(kMac, ip("fd09::3"), kNonce);
  SECTION("a solicitation from :: with the sender's address") {
    add_option(frame, hex("01 01 02 00 00 00 00 09"));
    CHECK_FALSE(parse_neighbour_message(frame));
  }
  SECTION("a solicitation from :: to somebody") {
    frame[38] = 0xfe;
    fix_checksum(frame);
    CHECK_FALSE(parse_neighbour_message(frame));
  }
  SECTION("a solicited advertisement to all") {
    frame = unsolicited_advertisement(kMac, ip("fd09::3"));
    frame[58] = 0x60;
    fix_checksum(frame);
    CHECK_FALSE(parse_neighbour_message(frame));
  }
  SECTION("an option without length behind a good one") {
    add_option(frame, hex("05 00 00 00 00 00 00 00"));
    CHECK_FALSE(parse_neighbour_message(frame));
  }
  SECTION("half an option") {
    add_option(frame, hex("05"));
    CHECK_FALSE(parse_neighbour_message(frame));
  }
  SECTION("a longer nonce is somebody else's") {
    frame[78] = 200;
    add_option(frame, hex("0e 02 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e"));
    REQUIRE(parse_neighbour_message(frame));
    CHECK_FALSE(parse_neighbour_message(frame)->nonce);
  }
  SECTION("an InfiniBand address (RFC 4391, 9.3) is not one of ours") {
    frame = solicitation(kMac, ip("fd09::3"), ip("fd09::1"));
    frame[78] = 200;
    Frame option(24, 0x11);
    option[0] = 1;
    option[1] = 3;
    add_option(frame, option);
    REQUIRE(parse_neighbour_message(frame));
    CHECK_FALSE(parse_neighbour_message(frame)->link_layer);
  }
}
