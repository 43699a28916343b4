// The one C++ file: sentencepiece behind C functions. No exception and no C++ type leaves it.
#include "data/sentencepiece.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

struct ivl_sp {
    sentencepiece::SentencePieceProcessor p;
};

namespace {

// Runs a body that may throw.
template <typename F> ivl_status guarded(const char *what, F body) noexcept
{
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return ivl_fail(IVL_ENOMEM, __FILE__, __LINE__, "%s: out of memory", what);
    } catch (const std::exception &e) {
        return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: %s", what, e.what());
    } catch (...) {
        return ivl_fail(IVL_EFORMAT, __FILE__, __LINE__, "%s: sentencepiece failed", what);
    }
}

template <typename T> ivl_status copied(const T *from, size_t n, size_t extra, T **to_p)
{
    T *to = static_cast<T *>(std::calloc(n + extra, sizeof(T)));
    IVL_CHECK(to, IVL_ENOMEM, "out of memory");
    if (n) std::memcpy(to, from, n * sizeof(T));
    *to_p = to;
    return IVL_OK;
}

// The trainer's source of sentences.
class Lines : public sentencepiece::SentenceIterator {
public:
    Lines(ivl_sp_next next, void *user) : next_(next), user_(user) { advance(); }
    bool done() const override { return done_; }
    void Next() override { advance(); }
    const std::string &value() const override { return line_; }
    sentencepiece::util::Status status() const override { return {}; }

private:
    void advance()
    {
        size_t n = 0;
        const char *s = next_(user_, &n);
        done_ = !s;
        line_.assign(s ? s : "", n);
    }
    ivl_sp_next next_;
    void *user_;
    bool done_ = false;
    std::string line_;
};

} // namespace

ivl_status ivl_sp_open(const void *bytes, size_t n, const char *name, ivl_sp **sp_p, ivl_sp_info *info_p)
{
    return guarded(name, [&]() -> ivl_status {
        std::unique_ptr<ivl_sp> sp(new ivl_sp);
        std::string model(static_cast<const char *>(bytes), n);
        auto s = sp->p.LoadFromSerializedProto(model);
        IVL_CHECK(s.ok() && sp->p.GetPieceSize() > 0, IVL_EFORMAT, "%s: not a sentencepiece model (%s)", name,
                  s.ok() ? "it is empty" : s.message());
        *info_p = { sp->p.GetPieceSize(), sp->p.unk_id(), sp->p.bos_id(), sp->p.eos_id() };
        *sp_p = sp.release();
        return IVL_OK;
    });
}

void ivl_sp_close(ivl_sp *sp) { delete sp; }

ivl_status ivl_sp_encode(const ivl_sp *sp, const char *text, size_t n, int32_t **ids_p, size_t *n_p)
{
    return guarded("encode", [&]() -> ivl_status {
        std::vector<int> ids;
        auto s = sp->p.Encode(absl::string_view(text, n), &ids);
        IVL_CHECK(s.ok(), IVL_EINVAL, "cannot tokenise: %s", s.message());
        IVL_TRY(copied(ids.data(), ids.size(), 1, ids_p));
        *n_p = ids.size();
        return IVL_OK;
    });
}

ivl_status ivl_sp_decode(const ivl_sp *sp, const int32_t *ids, size_t n, char **text_p)
{
    return guarded("decode", [&]() -> ivl_status {
        std::string text;
        auto s = sp->p.Decode(std::vector<int>(ids, ids + n), &text);
        IVL_CHECK(s.ok(), IVL_EINVAL, "cannot decode: %s", s.message());
        return copied(text.data(), text.size(), 1, text_p);
    });
}

ivl_status ivl_sp_train(ivl_sp_next next, void *user, int vocab, const char *name, char **model_p,
                        size_t *n_p)
{
    return guarded(name, [&]() -> ivl_status {
        const std::unordered_map<std::string, std::string> settings = {
            { "model_type", "bpe" },          { "vocab_size", std::to_string(vocab) },
            { "byte_fallback", "true" },      { "split_digits", "true" },
            { "num_threads", "1" },           { "normalization_rule_name", "identity" },
            { "character_coverage", "0.9999" }, { "remove_extra_whitespaces", "false" },
            { "unk_id", "0" },                { "bos_id", "1" },
            { "eos_id", "2" },                { "pad_id", "-1" },
            { "minloglevel", "3" },           { "allow_whitespace_only_pieces", "true" },
        };
        Lines lines(next, user);
        std::string model;
        auto s = sentencepiece::SentencePieceTrainer::Train(settings, &lines, &model);
        IVL_CHECK(s.ok(), IVL_EINVAL, "%s: cannot train a vocabulary of %d: %s", name, vocab, s.message());
        IVL_TRY(copied(model.data(), model.size(), 1, model_p));
        *n_p = model.size();
        return IVL_OK;
    });
}
